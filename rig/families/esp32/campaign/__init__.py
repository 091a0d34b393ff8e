"""Update paths of an ESP32 as trials, and setups for scenarios."""
