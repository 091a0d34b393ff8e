"""An ESP32 in a lab: virtual slot, example place, direct access to one board."""
