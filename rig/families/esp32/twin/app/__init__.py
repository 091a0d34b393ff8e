"""What an ESP32's application does: updates over HTTPS by several clients, TLS, and how it confirms itself."""
