"""A memory that is no flash: pages that are written over whole, each in one operation that is too short to be torn."""

from __future__ import annotations

from rig.twin.flash import Nor
from rig.twin.footprint import Copied


class WrittenOver(Nor):
    """Pages of `page` bytes from address `base` on; `kind` is what the journal calls an operation."""

    def __init__(self, *, base: int, page: int, pages: int, kind: str):
        super().__init__(
            base=base, size=page * pages, page=page, unit=page, kinds=("no-erase", kind, kind), strict=False
        )

    def _program(self, address: int, data: bytes, copied: Copied | None = None) -> None:
        index = (address - self.base) // self.page
        if self.trace is not None:
            self.trace.made(index, index + 1)
        self._set_page(index, data)
