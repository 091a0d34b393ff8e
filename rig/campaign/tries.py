"""Tries of one aim: each cut is commanded as much sooner as the relay was late with the one before."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from rig.campaign.bench import Bench, TrialResult
from rig.campaign.lead import Lead
from rig.campaign.trial import Trial
from rig.errors import RigInterference

#: So many cuts are made for each try, at the most.
CUTS_A_TRY = 4


class Tries:
    """Makes a trial `most` times: cuts that the rig was late with, or spoiled, are no tries, up to a bound.

    Who iterates stops at the result that is wanted.
    """

    def __init__(self, bench: Bench[Any], trial: Trial[Any], most: int):
        self._bench, self._trial, self._most = bench, trial, most
        self._lead = Lead(bench.board.tags)
        #: Where the cuts fell that were not wanted.
        self.missed: list[str] = []

    def __iter__(self) -> Iterator[TrialResult]:
        """Result after result. Raises what the bench raises, RigInterference excepted."""
        late = 0
        while len(self.missed) - late < self._most and len(self.missed) < self._most * CUTS_A_TRY:
            try:
                result = self._bench.run(self._trial, lead_ms=self._lead.ms)
            except RigInterference as error:
                self.missed.append(f"nobody knows what: {error.message}")
                late += 1
                continue
            yield result
            longer_ms = self._lead.longer_ms(result.took_ms)
            self.missed.append(f"{result.landing.phase} ({result.landing.known_by}, {longer_ms:.0f} ms late)")
            late += self._lead.learn(result.took_ms)
