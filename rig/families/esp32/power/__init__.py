"""Where a cut in one of its update paths fell on an ESP32."""
