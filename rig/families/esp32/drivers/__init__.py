"""How an ESP32 is reached: its ROM loader."""
