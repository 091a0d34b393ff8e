"""Update paths of an ESP32 as trials, and stages for scenarios."""
