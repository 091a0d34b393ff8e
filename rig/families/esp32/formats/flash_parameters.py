"""How a flash chip is to be talked to, as two bytes of a second stage's header say it (esp_image_format.c).

esptool writes them anew when it flashes, unless it is told to keep them (§2.3).
"""

from __future__ import annotations

from dataclasses import dataclass

from rig.families.esp32.formats.header import Header

_MODES = {0: "QIO", 1: "QOUT", 2: "DIO", 3: "DOUT"}
#: What the log calls a speed, and what the ROM divides its clock by.
_SPEEDS = {0x0: ("40MHz", 2), 0x1: ("26.7MHz", 3), 0x2: ("20MHz", 4), 0xF: ("80MHz", 1)}
_MEGABYTES = {0: 1, 1: 2, 2: 4, 3: 8, 4: 16}
#: What numbers that are none stand for.
_SLOWEST_MODE, _SLOWEST, _FEWEST_MEGABYTES = "SLOW READ", ("20MHz", 4), 2


def size_code(size: int) -> int:
    """How a header names `size` bytes. Raises KeyError for a size that it has no number for."""
    return {megabytes << 20: code for code, megabytes in _MEGABYTES.items()}[size]


@dataclass(frozen=True, slots=True)
class FlashParameters:
    """Mode and speed in the log's words, the ROM's clock divider, and the size in bytes."""

    mode: str
    speed: str
    divider: int
    size: int

    @classmethod
    def of(cls, header: Header) -> FlashParameters:
        """Those in a second stage's header."""
        speed, divider = _SPEEDS.get(header.spi_speed_size & 0xF, _SLOWEST)
        megabytes = _MEGABYTES.get(header.spi_speed_size >> 4, _FEWEST_MEGABYTES)
        return cls(_MODES.get(header.spi_mode, _SLOWEST_MODE), speed, divider, megabytes << 20)
