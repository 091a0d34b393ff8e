"""Why no ESP32 would start a file that is meant as its application or second stage."""

from __future__ import annotations

from rig.families.esp32.firmware.file_kinds import APPLICATION
from rig.families.esp32.formats import image as esp_image
from rig.families.esp32.formats.chip import ESP32
from rig.families.esp32.formats.kinds import is_image, is_second_stage
from rig.firmware.file_kinds import kind_of

#: Depends on the board or on where the image lies, so it is no fault of the file's.
_ELSEWHERE = ("revision", "address")


def refused_by_esp32(data: bytes) -> str | None:
    """What a second stage would say of an image (esp_image_format.c); None where one would start it."""
    found = esp_image.verify(lambda offset, length: data[offset : offset + length], 0, len(data), ESP32).refused
    return str(found) if found is not None and found.reason not in _ELSEWHERE else None


def no_application(data: bytes) -> str | None:
    """Why what begins with `data` is no application: by what it is, else by what a second stage would say."""
    kind = kind_of(data)
    if kind is not None and kind != APPLICATION:
        return f"it is {kind}"
    return refused_by_esp32(data)


def no_second_stage(data: bytes) -> str | None:
    """The same of a second stage: the ROM maps no flash, and loads nothing that is for another chip."""
    if is_image(data) and is_second_stage(data):
        return refused_by_esp32(data)
    kind = kind_of(data)
    return f"it is {kind}" if kind is not None else refused_by_esp32(data)
