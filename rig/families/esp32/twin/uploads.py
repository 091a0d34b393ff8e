"""What a host uploads to an ESP32's RAM: the bytes go to memory, and which stretches came whole is remembered.

Nobody runs the code. A jump into what came whole is a start of it, and what can say a stub's greeting is a stub.
"""

from __future__ import annotations

from rig.families.esp32.formats.loader import GREETING
from rig.families.esp32.twin.chip import Chip
from rig.families.esp32.twin.ram import is_code, is_ram

#: The last stretches of what was uploaded; an image has no more.
_MOST_SEGMENTS = 16


class Uploads:
    """The uploads of one conversation with a loader."""

    def __init__(self, chip: Chip):
        self._chip = chip
        self._complete: list[tuple[int, int]] = []
        self._start = self._at = 0
        #: Whether one is under way, and how many of its bytes are still to come.
        self.under_way, self.left = False, 0

    def begin(self, address: int, size: int) -> None:
        """Expect `size` bytes for `address`."""
        self._start = self._at = address
        self.under_way, self.left = True, size

    def take(self, data: bytes) -> None:
        """Take a block, which is not more than is to come."""
        if is_ram(self._at, len(data)):
            self._chip.ram.load(self._at, data)
        else:
            for at in range(0, len(data), 4):
                self._chip.write(self._at + at, int.from_bytes(data[at : at + 4], "little"))
        self._at += len(data)
        self.left -= len(data)
        if not self.left:
            self._complete = [*self._complete, (self._start, self._at)][-_MOST_SEGMENTS:]

    def end(self) -> None:
        """Expect nothing more."""
        self.under_way, self.left = False, 0

    def holds(self, entry: int) -> bool:
        """Whether code for `entry` has come whole."""
        return any(start <= entry < end and is_code(entry) for start, end in self._complete)

    @property
    def greets(self) -> bool:
        """Whether what came is a stub."""
        return any(GREETING in self._chip.ram.peek(start, end - start) for start, end in self._complete)
