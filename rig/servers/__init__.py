"""What boards connect to: the Spark cloud, and the HTTPS update server."""
