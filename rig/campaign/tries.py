"""Tries of one aim: each cut is commanded as much sooner as the relay was late with the one before."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from rig.boards.timing import number_of
from rig.campaign.bench import Bench, TrialResult
from rig.campaign.trial import Trial
from rig.errors import RigInterference

#: A relay that took so much more or less than was reckoned with missed by itself: that is no try of the aim.
LATE_MS = 10.0
#: So many cuts are made for each try, at the most.
CUTS_A_TRY = 4


class Tries:
    """Makes a trial `most` times: cuts that the rig was late with, or spoiled, are no tries, up to a bound.

    How late a relay may be is what the place's tag `relay_ms` says; who iterates stops at the result that is wanted.
    """

    def __init__(self, bench: Bench[Any], trial: Trial[Any], most: int):
        self._bench, self._trial, self._most = bench, trial, most
        self._relay_ms = number_of(bench.board.tags, "relay_ms", "0")
        #: Where the cuts fell that were not wanted.
        self.missed: list[str] = []

    def __iter__(self) -> Iterator[TrialResult]:
        """Result after result. Raises what the bench raises, RigInterference excepted."""
        late, lead_ms = 0, 0.0
        while len(self.missed) - late < self._most and len(self.missed) < self._most * CUTS_A_TRY:
            try:
                result = self._bench.run(self._trial, lead_ms=lead_ms)
            except RigInterference as error:
                self.missed.append(f"nobody knows what: {error.message}")
                late += 1
                continue
            yield result
            longer_ms = max(result.took_ms - self._relay_ms, 0.0)
            self.missed.append(f"{result.landing.phase} ({result.landing.known_by}, {longer_ms:.0f} ms late)")
            late += abs(longer_ms - lead_ms) > LATE_MS
            lead_ms = longer_ms
