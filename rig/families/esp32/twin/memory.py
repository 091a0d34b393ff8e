"""The SPI NOR flash of an ESP32, and how long its operations take."""

from __future__ import annotations

from collections.abc import Iterator

from rig.twin.flash import Nor, Run
from rig.twin.memory import Memory

FLASH_SIZE = 4 << 20
#: Parts that are on modules: W25Q16 to W25Q128.
FLASH_SIZES = (2 << 20, 4 << 20, 8 << 20, 16 << 20)
SECTOR, BLOCK, PAGE = 0x1000, 0x10000, 0x100
#: Seconds one operation takes: typical figures of data sheets; the lab's parts must be measured (reference §10.6).
SECONDS = {"erase": 0.045, "block-erase": 0.15, "program": 0.0007}


class BeyondFlash(Exception):
    """Work on flash that is not there."""


class Esp32Memory(Memory):
    """NOR flash: 4 KiB sectors and 64 KiB blocks to erase, pages of 256 bytes to program, each one operation."""

    def __init__(self, size: int = FLASH_SIZE) -> None:
        self.flash = Nor(
            base=0,
            size=size,
            page=SECTOR,
            unit=1,
            kinds=("erase", "program", "program"),
            strict=False,
        )
        super().__init__([self.flash], SECONDS)

    @property
    def size(self) -> int:
        """Bytes of flash."""
        return self.flash.size

    def erasing(self, address: int, length: int) -> Iterator[Run]:
        """Erase every sector that `length` bytes from `address` touch, one by one."""
        self._within(address, length)
        first, last = address // SECTOR, (address + length - 1) // SECTOR
        if length > 0:
            yield Run("erase", first * SECTOR, SECTOR, last - first + 1)

    def erasing_in_blocks(self, address: int, length: int) -> Iterator[Run]:
        """The same, by blocks of 64 KiB where they are whole and aligned."""
        self._within(address, length)
        at, end = address - address % SECTOR, -(-(address + length) // SECTOR) * SECTOR
        while at < end:
            if at % BLOCK == 0 and end - at >= BLOCK:
                count = (end - at) // BLOCK
                yield Run("block-erase", at, BLOCK, count)
                at += count * BLOCK
            else:
                until = min(end, at - at % BLOCK + BLOCK)
                yield Run("erase", at, SECTOR, (until - at) // SECTOR)
                at = until

    def programming(self, address: int, data: bytes) -> Iterator[Run]:
        """Program `data` page by page: what lies in one page is one operation."""
        self._within(address, len(data))
        head = min(-address % PAGE, len(data))
        whole = (len(data) - head) // PAGE * PAGE
        if head:
            yield Run("program", address, head, 1, data[:head])
        if whole:
            yield Run("program", address + head, PAGE, whole // PAGE, data[head : head + whole])
        if tail := data[head + whole :]:
            yield Run("program", address + head + whole, len(tail), 1, tail)

    def _within(self, address: int, length: int) -> None:
        if address + length > self.size:
            raise BeyondFlash(f"{address:#x} and {length:#x} bytes are not inside {self.size:#x}")
