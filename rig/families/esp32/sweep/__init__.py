"""The update paths of an ESP32 as sweeps cut them."""
