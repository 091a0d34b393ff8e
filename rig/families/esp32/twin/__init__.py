"""A twin of an ESP32: its mask ROM, its second-stage bootloader and its application, on a NOR flash of 4 MiB."""
