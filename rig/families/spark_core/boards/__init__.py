"""What one does with a Spark Core: wiring, timing, servers as it meets them."""
