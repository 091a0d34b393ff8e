"""Images for an ESP32: what a file is, how it behaves, when it is refused."""
