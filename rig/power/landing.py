"""Where a cut fell, told by the flash it left: read back before any start could repair or overwrite it."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

OUTSIDE = "outside"


@dataclass(frozen=True, slots=True)
class Landing:
    """The phase a cut fell in and the address it had reached; `outside` when no flash work was interrupted.

    `known_by` is `read-back` where flash shows the interrupted work, `inferred` where it fell between two pieces or
    flash cannot tell which: such a landing is an interval, and is counted apart.
    """

    phase: str
    address: int | None
    known_by: str
    detail: str

    @property
    def landed(self) -> bool:
        """Whether flash shows what it interrupted; only such cuts count."""
        return self.phase != OUTSIDE and self.known_by == "read-back"

    def to_dict(self) -> dict[str, Any]:
        """For the ledger."""
        return asdict(self)
