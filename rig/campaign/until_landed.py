"""Trials until one lands: an aim is a wish, and only landed cuts count."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rig.campaign.bench import Bench, TrialResult
from rig.campaign.trial import Trial
from rig.campaign.tries import Tries
from rig.errors import DeviceFault, LabFault
from rig.evidence.allure_bridge import attach_cut

DEFAULT_TRIES = 5


class CutUntilLanded:
    """Makes trials with a bound until one lands in the phase it is aimed at; the hit rate is reported."""

    def __init__(self, bench: Bench[Any], record: Callable[[str, object], None]):
        self._bench = bench
        self._record = record

    def __call__(self, trial: Trial[Any], *, lands: str | tuple[str, ...], tries: int = DEFAULT_TRIES) -> TrialResult:
        """The first verdict whose landing is in phase `lands`, or one of them. Raises LabFault after `tries` others.

        Raises DeviceFault for a board that such a cut killed.
        """
        wanted = (lands,) if isinstance(lands, str) else lands
        aimed, made = " or ".join(wanted), Tries(self._bench, trial, tries)
        for verdict in made:
            attach_cut(verdict.line)
            if verdict.landing.landed and verdict.landing.phase in wanted:
                self._record("hit_rate", f"1/{len(made.missed) + 1}")
                self._record("became", f"{verdict.landing.phase} → {verdict.outcome.name}")
                return verdict
            if verdict.outcome.dead:
                raise DeviceFault(
                    f"dead after a cut aimed at {aimed}: {verdict.landing.detail}", board=self._bench.board.name
                )
        raise LabFault(
            f"{len(made.missed)} cuts aimed at {aimed} landed in {', '.join(made.missed)}",
            board=self._bench.board.name,
            hint="is the relay's delay right? See rig lab calibrate",
        )
