"""Links that only a Spark Core needs."""
