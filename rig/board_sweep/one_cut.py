"""One cut of a board sweep: drawn, made on the bench, and laid beside the model's map."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rig.board_sweep.draw import draw
from rig.board_sweep.model_map import ModelMap, agrees, nearest
from rig.board_sweep.stratum import AGREES, DISAGREES, NO_MAP, Fell, Stratum, Swept
from rig.campaign.bench import Bench, TrialResult
from rig.campaign.lead import Lead
from rig.campaign.strata import BoardPath
from rig.campaign.trial import Trial
from rig.errors import RigInterference


class Cutter:
    """Makes cuts on one board; `maps` are the model's, by path, as far as there are any."""

    def __init__(self, bench: Bench[Any], paths: Mapping[str, BoardPath], maps: Mapping[str, ModelMap], seed: int):
        self._bench, self._paths, self._maps, self._seed = bench, paths, maps, seed
        self._lead = Lead(bench.board.tags)
        self._changes: dict[tuple[str, str], list[float]] = {}

    def cut(self, number: int, stratum: Stratum) -> Swept:
        """Make one. Raises what the bench raises; one that the rig spoiled is missed."""
        position = draw(self._changes_in(stratum.path, stratum.phase), self._seed, number)
        trial = self._trial(stratum.path, stratum.phase, position)
        try:
            result = self._bench.run(trial, lead_ms=self._lead.ms)
        except RigInterference:
            return Swept(number, stratum, self._bench.board.name, position, Fell.MISSED)
        late = self._lead.learn(result.took_ms)
        return self._swept(number, stratum, position, trial, result, late=late)

    def _swept(
        self, number: int, stratum: Stratum, position: float, trial: Trial[Any], result: TrialResult, *, late: bool
    ) -> Swept:
        outcome = result.outcome
        model, model_capsule = self._compare(stratum.path, trial, result)
        return Swept(
            *(number, stratum, self._bench.board.name, position),
            fell=Fell.of(result.landing, stratum.phase),
            became=outcome.name,
            rung=outcome.rung,
            needed_hand=not outcome.by_itself,
            dead=outcome.dead,
            late=late,
            model=model,
            capsule=str(result.line["capsule"]),
            model_capsule=model_capsule,
            trial=str(result.line["trial"]),
        )

    def _compare(self, path: str, trial: Trial[Any], result: TrialResult) -> tuple[str, str]:
        """What the model says of a landing that was read back: whether a cut that it can be ends so."""
        known = self._maps.get(path)
        if known is None or result.landing.known_by != "read-back":
            return NO_MAP, ""
        possible = known.possible(result.landing, trial)
        near = nearest(possible, result.landing)
        word = AGREES if any(agrees(result.outcome, one.settled) for one in possible) else DISAGREES
        return word, known.capsule(near) if near is not None else ""

    def _trial(self, path: str, phase: str, position: float) -> Trial[Any]:
        its = self._paths[path]
        return its.phases[phase](position, self._bench.board, its.roles_of(self._bench.roles))

    def _changes_in(self, path: str, phase: str) -> list[float]:
        """Where the model's outcome changes in a phase."""
        known = self._maps.get(path)
        if known is None:
            return []
        if (path, phase) not in self._changes:
            self._changes[path, phase] = known.changes(phase, self._trial(path, phase, 0.5))
        return self._changes[path, phase]
