"""An update path as its family describes it for cut maps: phases in their order, and where each of them writes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Stretch:
    """Flash that a phase writes from its first byte to its last: `size` bytes from `base` on.

    None is what the ledger's line tells of the image: where it goes, and its length. `edge` is the share of the phase
    that lies before the stretch, and behind it.
    """

    base: int | None = None
    size: int | None = None
    edge: float = 0.0

    def share(self, address: int, line: Mapping[str, Any]) -> float:
        """How far into its phase an address lies, 0 to 1; `line` is of a cut."""
        base: int = line["to_address"] if self.base is None else self.base
        size: int = line["to_size"] if self.size is None else self.size
        share = self.edge + (1 - 2 * self.edge) * (address - base) / max(size, 1)
        return min(max(share, 0.0), 1.0)


#: Where the image goes.
IMAGE = Stretch()


@dataclass(frozen=True, slots=True)
class Phase:
    """One phase: its name, as landings have it, and its share of a map's width.

    A cut lies where `writes` has its address; without one, in the middle of the phase.
    """

    name: str
    width: float
    writes: Stretch | None = None

    def share(self, line: Mapping[str, Any]) -> float:
        """How far into it the landing of a cut lies, 0 to 1."""
        address: int | None = line["landing"]["address"]
        return 0.5 if address is None or self.writes is None else self.writes.share(address, line)


#: All of a path; the widths of its phases are 1 together.
UpdatePath = tuple[Phase, ...]


def position(path: UpdatePath, line: Mapping[str, Any]) -> float | None:
    """Where a cut lies on its path, 0 to 1; None where it fell outside of the path's phases."""
    name = line["landing"]["phase"].removesuffix("-tail")
    begin = 0.0
    for phase in path:
        if phase.name == name:
            return begin + phase.width * phase.share(line)
        begin += phase.width
    return None
