"""Why no ESP32 would start a file that is meant as its application or second stage."""

from __future__ import annotations

from rig.formats import esp_image
from rig.formats.esp_chip import ESP32

#: Depends on the board or on where the image lies, so it is no fault of the file's.
_ELSEWHERE = ("revision", "address")


def refused_by_esp32(data: bytes) -> str | None:
    """What a second stage would say of an image (reference/esp32.md §2.1); None where one would start it."""
    found = esp_image.verify(lambda offset, length: data[offset : offset + length], 0, len(data), ESP32).refused
    return str(found) if found is not None and found.reason not in _ELSEWHERE else None
