"""ESP images by what they are: an application, a second stage, for which chip."""

from __future__ import annotations

from collections.abc import Iterator

from rig.families.esp32.formats.chip import Range, Ranges, within
from rig.families.esp32.formats.header import HEADER_SIZE, MAGIC, MAX_SEGMENTS, Header
from rig.families.esp32.formats.image import DESCRIPTION_MAGIC, DESCRIPTION_OFFSET, SEGMENT_HEADER_SIZE
from rig.families.esp32.formats.second_stage import is_described

#: Chips by the id in a header (esp_app_format.h).
CHIPS = {
    0: "ESP32", 2: "ESP32-S2", 5: "ESP32-C3", 9: "ESP32-S3", 12: "ESP32-C2", 13: "ESP32-C6", 16: "ESP32-H2",
    18: "ESP32-P4", 20: "ESP32-C61", 23: "ESP32-C5", 25: "ESP32-H21", 28: "ESP32-H4", 32: "ESP32-S31",
}  # fmt: skip
#: Where flash is mapped (soc.h of each); most chips have it where the last row says.
_MAPPED: dict[int, Ranges] = {
    0: ((0x3F40_0000, 0x3F80_0000), (0x400D_0000, 0x4040_0000)),
    2: ((0x3F00_0000, 0x3FF8_0000), (0x4008_0000, 0x4180_0000)),
    18: ((0x4000_0000, 0x4C00_0000),),
}
_USUALLY_MAPPED: Ranges = ((0x3C00_0000, 0x3E00_0000), (0x4200_0000, 0x4400_0000))
#: Where an ESP32's second stages lie while they load: the cache of the other core.
_LOADER: Range = (0x4007_8000, 0x4008_0000)
#: The room below the partition table.
_MOST = 0x7000


def is_image(data: bytes) -> bool:
    """Whether an image begins here."""
    return len(data) >= HEADER_SIZE and data[0] == MAGIC


def chip_of(data: bytes) -> str:
    """The chip an image is for, by name."""
    number = Header.unpack(data).chip_id
    return CHIPS.get(number, f"chip number {number}")


def is_second_stage(data: bytes) -> bool:
    """Whether an image is a second stage: one says so, or it is for the RAM that only they use."""
    first = data[DESCRIPTION_OFFSET:]
    if first[:4] == DESCRIPTION_MAGIC.to_bytes(4, "little"):
        return False
    chip = Header.unpack(data).chip_id
    addresses = list(_addresses(data))
    if any(within(stretch, address) for address in addresses for stretch in _MAPPED.get(chip, _USUALLY_MAPPED)):
        return False
    if is_described(first):
        return True
    if chip == 0:
        return any(within(_LOADER, address) for address in addresses)
    return bool(addresses) and len(data) <= _MOST


def _addresses(data: bytes) -> Iterator[int]:
    """Where the segments of an image are for, as far as it goes."""
    at = HEADER_SIZE
    for _ in range(min(Header.unpack(data).segments, MAX_SEGMENTS)):
        head = data[at : at + SEGMENT_HEADER_SIZE]
        if len(head) < SEGMENT_HEADER_SIZE:
            return
        yield int.from_bytes(head[:4], "little")
        at += SEGMENT_HEADER_SIZE + int.from_bytes(head[4:], "little")
