"""What one does with an ESP32: wiring, timing, servers as it meets them."""
