"""Where a cut in one of its update paths fell on a Spark Core."""
