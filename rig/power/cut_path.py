"""What a board's supply is cut through, and what that costs: how long the relay takes to answer."""

from __future__ import annotations

import statistics
import time
from dataclasses import dataclass

from rig.drivers.contact import Contact

#: Looks at the contact; the first one, which connects, is not among them.
LOOKS = 9


@dataclass(frozen=True, slots=True)
class CutPath:
    """A way to a relay; `median_ms` and `worst_ms` are of reading the contact back, which goes the way of a command."""

    route: str
    direct: bool
    median_ms: float
    worst_ms: float

    @classmethod
    def measure(cls, contact: Contact) -> CutPath:
        """Look at a contact, which moves nothing, and hang up. Raises LabFault when the relay does not answer."""
        try:
            contact.connect()
            taken = [_milliseconds(contact) for _ in range(LOOKS)]
        finally:
            contact.close()
        return cls(contact.route, contact.direct, round(statistics.median(taken), 2), round(max(taken), 2))

    def __str__(self) -> str:
        slower = "" if self.direct else ", not direct: cuts come later and less evenly"
        return f"{self.route}, {self.median_ms:g} ms (at most {self.worst_ms:g}){slower}"


def _milliseconds(contact: Contact) -> float:
    begun = time.perf_counter()
    contact.is_closed()
    return (time.perf_counter() - begun) * 1e3
