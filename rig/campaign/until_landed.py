"""Trials until one lands: an aim is a wish, and only landed cuts count."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rig.boards.timing import number_of
from rig.campaign.bench import Bench, TrialResult
from rig.campaign.trial import Trial
from rig.errors import DeviceFault, LabFault, RigInterference
from rig.evidence.allure_bridge import attach_cut

DEFAULT_TRIES = 5
#: A relay that took so much more or less than was reckoned with missed by itself: that is no try of the aim.
LATE_MS = 10.0
#: So many cuts are made for each try, at the most.
CUTS_A_TRY = 4


class CutUntilLanded:
    """Makes trials with a bound until one lands in the phase it is aimed at; the hit rate is reported."""

    def __init__(self, bench: Bench[Any], record: Callable[[str, object], None]):
        self._bench = bench
        self._relay_ms = number_of(bench.board.tags, "relay_ms", "0")
        self._record = record

    def __call__(self, trial: Trial[Any], *, lands: str | tuple[str, ...], tries: int = DEFAULT_TRIES) -> TrialResult:
        """The first verdict whose landing is in phase `lands`, or one of them. Raises LabFault after `tries` others.

        A command leaves as much sooner as the one before it took longer than the place's tag `relay_ms` says; cuts that
        the rig was late with, or spoiled, are no tries, up to a bound.

        Raises DeviceFault for a board that such a cut killed.
        """
        wanted = (lands,) if isinstance(lands, str) else lands
        aimed, missed, late, lead_ms = " or ".join(wanted), list[str](), 0, 0.0
        while len(missed) - late < tries and len(missed) < tries * CUTS_A_TRY:
            try:
                verdict = self._bench.run(trial, lead_ms=lead_ms)
            except RigInterference as error:
                missed.append(f"nobody knows what: {error.message}")
                late += 1
                continue
            attach_cut(verdict.line)
            if verdict.landing.landed and verdict.landing.phase in wanted:
                self._record("hit_rate", f"1/{len(missed) + 1}")
                self._record("became", f"{verdict.landing.phase} → {verdict.outcome.name}")
                return verdict
            if verdict.outcome.dead:
                raise DeviceFault(
                    f"dead after a cut aimed at {aimed}: {verdict.landing.detail}", board=self._bench.board.name
                )
            longer_ms = max(verdict.took_ms - self._relay_ms, 0.0)
            missed.append(f"{verdict.landing.phase} ({verdict.landing.known_by}, {longer_ms:.0f} ms late)")
            late += abs(longer_ms - lead_ms) > LATE_MS
            lead_ms = longer_ms
        raise LabFault(
            f"{len(missed)} cuts aimed at {aimed} landed in {', '.join(missed)}",
            board=self._bench.board.name,
            hint="is the relay's delay right? See rig lab calibrate",
        )
