"""The flash of a pinboard, and how long its operations take."""

from __future__ import annotations

from pinboard.formats import FLASH_SIZE, SECTOR
from rig.twin.flash import Nor
from rig.twin.memory import Memory

#: Seconds that one operation takes: to erase a sector, to program four bytes, or one.
SECONDS = {"erase": 0.04, "prog": 0.0002, "byte": 0.0002}


class PinboardMemory(Memory):
    """One flash."""

    def __init__(self) -> None:
        kinds = ("erase", "prog", "byte")
        self.flash = Nor(base=0, size=FLASH_SIZE, page=SECTOR, unit=4, kinds=kinds, strict=False)
        super().__init__([self.flash], SECONDS)
