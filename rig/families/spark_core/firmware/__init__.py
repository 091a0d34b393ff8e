"""Images for a Spark Core: what a file is, how it behaves, when it is refused."""
