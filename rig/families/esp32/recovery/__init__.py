"""How an ESP32 is brought back: rungs, known state."""
