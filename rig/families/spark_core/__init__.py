"""Everything that is only a Spark Core's, in the same rooms as outside."""
