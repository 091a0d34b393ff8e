"""A download into flash as a stub carries it out: after a block was acknowledged, erasing as it goes.

Facts: stub_write_flash.c of espressif/esptool-legacy-flasher-stub and command_handler.c of espressif/esp-flasher-stub.
"""

from __future__ import annotations

import zlib
from abc import ABC, abstractmethod
from collections.abc import Generator, Iterator
from typing import Any

from rig.families.esp32.formats.loader import StubError
from rig.families.esp32.twin.memory import BLOCK, SECTOR, Esp32Memory
from rig.twin.flash import Run
from rig.twin.steps import Step, Work

#: What was inflated is written when there is so much of it, or at the end of the stream.
INFLATED = 0x8000

#: Work on flash that ends in a code: why it failed, or 0.
Outcome = Generator[Step, Any, int]


class Download(ABC):
    """`size` bytes for `offset`, as they are or deflated, into a flash that the stub takes to have `flash_size`."""

    def __init__(self, memory: Esp32Memory, offset: int, size: int, flash_size: int):
        self.memory = memory
        #: Where the next byte goes, and how many are to come.
        self.at, self.left = offset, size
        #: How far flash has been erased for it, and how far it will be.
        self.erased, self.end = offset - offset % SECTOR, -(-(offset + size) // SECTOR) * SECTOR
        self._flash_end = min(flash_size, memory.flash.size)
        self._inflater: Any = None
        self._plain = bytearray()

    def deflated(self) -> Download:
        """The same, of a stream that is to be inflated."""
        self._inflater = zlib.decompressobj()
        return self

    @abstractmethod
    def needs_erasing(self, until: int) -> bool:
        """Whether more must be erased before what ends at `until` is written."""

    def erase_next(self) -> Iterator[Run]:
        """Erase the next block where it is whole, or sector."""
        if self.erased < self.end:
            at, whole = self.erased, self.erased % BLOCK == 0 and self.end - self.erased >= BLOCK
            self.erased += BLOCK if whole else SECTOR
            if self.erased <= self._flash_end:
                yield from self.memory.erasing_in_blocks(at, self.erased - at)

    def write(self, data: bytes) -> Outcome:
        """Erase as far as `data` need it, and program them."""
        until = self.at + len(data)
        beyond = until > self._flash_end
        while not beyond and self.needs_erasing(until):
            yield from _work(self.erase_next())
        if not beyond:
            yield from _work(self.memory.programming(self.at, data))
        self.at += len(data)
        self.left = (self.left - len(data)) % (1 << 32)
        return StubError.SPI if beyond else 0

    def inflate(self, packed: bytes) -> Outcome:
        """Inflate a block of the stream, and write what has come together; meanwhile something is erased ahead."""
        if self._inflater is None:
            return StubError.INFLATE
        more = True
        while more and self.takes_more and not self._inflater.eof:
            yield from _work(self.erase_next())
            try:
                self._plain += self._inflater.decompress(packed, INFLATED - len(self._plain))
            except zlib.error:
                return StubError.INFLATE
            packed = self._inflater.unconsumed_tail
            full = len(self._plain) == INFLATED
            more = bool(packed) or full
            if full or self._inflater.eof:
                code = yield from self.write_inflated(bytes(self._plain))
                self._plain.clear()
                if code:
                    return code
        return 0

    @property
    def takes_more(self) -> bool:
        """Whether inflating goes on."""
        return True

    @property
    def inflated(self) -> bool:
        """Whether the stream has come to its end."""
        return self._inflater is not None and self._inflater.eof

    def write_inflated(self, data: bytes) -> Outcome:
        """Write what has come together."""
        return self.write(data)


def _work(runs: Iterator[Run]) -> Generator[Step, Any, None]:
    for run in runs:
        yield Work(run)
