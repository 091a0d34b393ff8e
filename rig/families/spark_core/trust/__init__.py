"""Keys of a Spark Core and of its servers."""
