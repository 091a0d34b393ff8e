"""The two flash memories of a Core under one journal, and how long their operations take."""

from __future__ import annotations

from collections.abc import MutableMapping

from rig.families.spark_core.formats import flash as layout
from rig.families.spark_core.formats.flash import SystemFlags
from rig.twin.flash import Nor
from rig.twin.memory import Memory

#: Seconds one operation takes.
SECONDS = {
    "erase": layout.PAGE_ERASE,
    "prog": layout.HALF_WORD,
    "xerase": layout.SECTOR_ERASE,
    "xprog": layout.PAIR,
    "xbyte": layout.SINGLE_BYTE,
}


class CoreMemory(Memory):
    """Internal flash (1 KiB pages, half-words) and SST25VF016B (4 KiB sectors, auto-increment pairs)."""

    def __init__(self) -> None:
        self.internal = Nor(
            base=layout.INTERNAL_BASE,
            size=layout.INTERNAL_SIZE,
            page=layout.INTERNAL_PAGE,
            unit=2,
            kinds=("erase", "prog", "byte"),
            strict=True,
        )
        self.external = Nor(
            base=0,
            size=layout.EXTERNAL_SIZE,
            page=layout.EXTERNAL_SECTOR,
            unit=2,
            kinds=("xerase", "xprog", "xbyte"),
            strict=False,
        )
        super().__init__([self.internal, self.external], SECONDS)
        #: Cells of the external flash that fail to be written, and how often each still does.
        self.worn_out: dict[int, int] = {}

    def backup_registers(self) -> MutableMapping[int, int]:
        """What they hold when the supply rises, by number: zero, as a Core has no battery for them (§2.3)."""
        return dict.fromkeys(range(1, 11), 0)

    def taken(self, address: int, data: bytes) -> bytes:
        """What cells of the external flash take of `data` once: all of it, unless one is worn out."""
        for place, times in self.worn_out.items():
            if times and address <= place < address + len(data):
                self.worn_out[place] -= 1
                data = data[: place - address] + b"\xff" + data[place - address + 1 :]
        return data

    def app(self) -> bytes:
        """The application area."""
        return self.internal.read(layout.APP_ADDRESS, layout.APP_SIZE)

    def app_start(self) -> bytes:
        """Its first two words: all that a bootloader looks at, and what its start loads."""
        return self.internal.ask(_two_words, layout.APP_ADDRESS, 8)

    def flags16(self) -> bytes:
        """The first 16 bytes of the system-flags page."""
        return self.internal.read(layout.FLAGS_ADDRESS, 16)

    def flags18(self) -> bytes:
        """The 18 bytes of it that generation C knows."""
        return self.internal.read(layout.FLAGS_ADDRESS, SystemFlags.LONGEST)


def _two_words(pages: tuple[bytes, ...]) -> bytes:
    return pages[0][:8]
