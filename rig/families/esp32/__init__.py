"""Everything that is only an ESP32's, in the same rooms as outside."""
