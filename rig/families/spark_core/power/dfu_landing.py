"""Where a cut fell in a write over DFU, by the application area and the flags page it left."""

from __future__ import annotations

from dataclasses import dataclass

from rig.drivers.dfu_host import EraseOrder
from rig.families.spark_core.formats import flash as layout
from rig.families.spark_core.formats.flash import SystemFlags
from rig.power.landing import OUTSIDE, Landing


@dataclass(frozen=True, slots=True)
class DfuWrite:
    """What a DFU update was doing: what was in the area and the flags before, what it was to write, and where.

    `page` is what one erase takes.
    """

    before: bytes
    flags_before: bytes
    data: bytes
    order: EraseOrder
    address: int = layout.APP_ADDRESS
    page: int = layout.INTERNAL_PAGE

    def locate(self, area: bytes, flags: bytes) -> Landing:
        """Read the landing off the application area and the first bytes of the flags page."""
        if flags != self.flags_before:
            return _in_commit(flags, self.flags_before)
        pages = [self._page(area, index) for index in range(-(-len(self.data) // self.page))]
        unfinished = next((index for index, state in enumerate(pages) if state != "new"), None)
        if unfinished is None:
            return Landing(OUTSIDE, None, "read-back", "everything written, flags as before")
        if area == self.before:
            return Landing(OUTSIDE, None, "read-back", "before anything was erased")
        if area[: len(pages) * self.page] == b"\xff" * len(pages) * self.page:  # some new pages may be blank, too
            return self._between_erase_and_program(len(pages))
        if self.order is EraseOrder.ALL_FIRST and (reached := self._erasing(area, pages)) is not None:
            return self._landing("erase", reached * self.page, f"{reached} of {len(pages)} pages are blank")
        state = pages[unfinished]
        if state == "old":
            where = self.address + unfinished * self.page
            return Landing("program", where, "inferred", "between two pages, or in an erase that had not begun to show")
        if state == "torn" and self.order is EraseOrder.INTERLEAVED and not self._begun(area, unfinished):
            return self._landing("erase", unfinished * self.page, f"page {unfinished} is half erased")
        offset = self._programmed(area, unfinished)
        return self._landing("program", offset, f"{offset} of {len(self.data)} bytes are written")

    def _erasing(self, area: bytes, pages: list[str]) -> int | None:
        """With all pages erased first: the page the erase has reached, None where programming has begun.

        What was there may be what is to be written; but an erase leaves blank pages in front, programming behind.
        """
        size = self.page
        blank = [area[index * size :][:size] == b"\xff" * size for index in range(len(pages))]
        reached = blank.index(False)
        if reached > 0 or "old" in pages or (pages[0] == "torn" and not self._begun(area, 0)):
            return reached
        return None

    def _between_erase_and_program(self, pages: int) -> Landing:
        """Everything is blank: whether the last erase or the first write was under way, flash does not tell."""
        return Landing("program", self.address, "inferred", f"all {pages} pages are blank, nothing is written")

    def _landing(self, phase: str, offset: int, detail: str) -> Landing:
        return Landing(phase, self.address + offset, "read-back", detail)

    def _page(self, area: bytes, index: int) -> str:
        start = index * self.page
        now = area[start : start + self.page]
        wanted = self.data[start : start + self.page].ljust(self.page, b"\xff")
        if now == wanted:
            return "new"
        if now == b"\xff" * self.page:
            return "blank"
        return "old" if now == self.before[start : start + self.page] else "torn"

    def _begun(self, area: bytes, index: int) -> bool:
        """Whether the page holds a beginning of the new data: then it was erased and being programmed."""
        start = index * self.page
        written = self._programmed(area, index) - start
        tail = area[start + written + 2 : start + self.page]
        return tail == b"\xff" * len(tail)

    def _programmed(self, area: bytes, index: int) -> int:
        """Offset of the first half-word from page `index` on that does not hold the new data."""
        for offset in range(index * self.page, len(self.data), 2):
            if area[offset : offset + 2] != self.data[offset : offset + 2].ljust(2, b"\xff"):
                return offset
        return len(self.data)


def _in_commit(flags: bytes, before: bytes) -> Landing:
    """The flags page is erased first and then written in order: what is there tells how far it came."""
    if flags == b"\xff" * len(flags):
        return Landing("commit", layout.FLAGS_ADDRESS, "read-back", "the flags page is blank")
    if SystemFlags.unpack(flags).ota == layout.OTA_RUN:
        return Landing("commit-tail", layout.FLAGS_ADDRESS, "read-back", f"0x5000 stands, the page reads {flags.hex()}")
    good = next((at for at in range(0, len(flags), 2) if flags[at : at + 2] != before[at : at + 2]), len(flags))
    return Landing("commit", layout.FLAGS_ADDRESS + good, "read-back", f"the flags page reads {flags.hex()}")
