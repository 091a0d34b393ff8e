"""Verbs of the `rig` command that are for an ESP32 only."""
