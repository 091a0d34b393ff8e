"""Links and drivers that only a Spark Core needs."""
