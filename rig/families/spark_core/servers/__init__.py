"""A Spark cloud of our own: what a Core of 2013 to 2016 connects to, on TCP port 5683."""
