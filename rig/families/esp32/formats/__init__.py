"""Byte layouts that only an ESP32 has, sans I/O."""
