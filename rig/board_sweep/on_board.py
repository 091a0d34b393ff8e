"""A capsule on a board: the same update, cut where the capsule says, as near as a relay comes to it."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from rig.board_sweep.model_map import ModelMap, Target, agrees
from rig.board_sweep.places import SweptPlace
from rig.boards.board import Board
from rig.campaign.bench import Bench, TrialResult
from rig.campaign.strata import BoardPath
from rig.campaign.trial import Trial
from rig.campaign.tries import Tries
from rig.errors import LabFault, Misuse
from rig.evidence.ledger import Ledger
from rig.evidence.timeline import Timeline
from rig.family.contract import family_of
from rig.firmware.image_rules import rules_of
from rig.firmware.manifest import Image, Manifest
from rig.firmware.run_firmware import roles_with
from rig.lab.acquisition import Boards
from rig.lab.lab import Lab
from rig.sweep.capsule import Capsule
from rig.sweep.cut_points import TEARS
from rig.sweep.plan import SweepPlan
from rig.sweep.replay import plan_of
from rig.sweep.scenario import Settled

#: Cuts that are aimed at one operation, until it counts as one that this relay does not hit.
TRIES = 8


@dataclass(frozen=True, slots=True)
class OnBoard:
    """What became of a board that was cut where a capsule says."""

    result: TrialResult
    cuts: int

    def is_as(self, settled: Settled) -> bool:
        """Whether it became what the model, or the capsule, says."""
        return agrees(self.result.outcome, settled)

    def became(self, expected: str) -> bool:
        """Whether it became what somebody expects: BECOMES or BECOMES/RUNG."""
        outcome = self.result.outcome
        name, _, rung = expected.partition("/")
        return name in (outcome.name, outcome.image) and rung in ("", outcome.rung)

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        outcome, landing = self.result.outcome, self.result.landing
        return {
            "became": outcome.name,
            "rung": outcome.rung,
            "phase": landing.phase,
            "landing": landing.detail,
            "cuts": self.cuts,
        }

    def __str__(self) -> str:
        outcome, landing = self.result.outcome, self.result.landing
        return f"{outcome.name}, healed by {outcome.rung}; cut in {landing.phase}: {landing.detail}"


def replay_on_board(
    capsule: Capsule, place: SweptPlace, lab: Lab, known: Manifest, images: list[Image], say: Callable[[str], None]
) -> OnBoard:
    """Cut a board until the cut falls where the model cannot tell it from the capsule's.

    Raises Misuse for a capsule that no board can be given, LabFault where no cut falls there.
    """
    if len(capsule.cuts) > 1:
        raise Misuse("a board replays one cut, and this capsule has several", hint="without --place the model does")
    path = family_of(capsule.kind).campaign.board_sweeps.paths[capsule.path]
    plan = replace(plan_of(capsule, images), tears=TEARS)
    model = ModelMap.swept(plan, path.begins)
    with (
        Boards(lab.coordinator, lab.environment, only=place.name) as boards,
        tempfile.TemporaryDirectory() as folder,
        Ledger(Path(folder) / "replay.jsonl") as ledger,
    ):
        board = boards.take(place.name)
        board.compare_with_manifest(known, say)
        roles = roles_with(rules_of(capsule.kind).known_state, known, capsule.kind, board.tags, place.name)
        _refuse_others(capsule, board, roles)
        bench: Bench[Any] = Bench(board, {**roles, **plan.images}, ledger, Timeline(), run_id="replay")
        found = _cut(bench, path, plan, model, capsule.cuts[0])
        bench.restore_known_state()
        board.clear_servers()
        return found


def _refuse_others(capsule: Capsule, board: Board, roles: Mapping[str, Image]) -> None:
    """Raises Misuse for a board that is built otherwise."""
    for name, value in family_of(capsule.kind).campaign.board_sweeps.choices(board.tags, roles).items():
        if capsule.choices.get(name, value) != value:
            raise Misuse(f"the capsule is of {name} {capsule.choices[name]}, and it has {value}", board=board.name)


def _cut(bench: Bench[Any], path: BoardPath, plan: SweepPlan, model: ModelMap, cut: tuple[int, str]) -> OnBoard:
    """Until a cut falls where one of the model's falls that is, and ends, as this one."""
    phases = path.phases_on(bench.board.tags)
    target = model.target(cut, {phase: at(0.5, bench.board, plan.images) for phase, at in phases.items()})
    trial = phases[target.phase](target.position, bench.board, plan.images)
    tries = Tries(bench, trial, TRIES)
    for result in tries:
        if falls_there(result, target, model, trial):
            return OnBoard(result, len(tries.missed) + 1)
    raise LabFault(
        f"{len(tries.missed)} cuts aimed at operation {cut[0]} landed in {', '.join(tries.missed)}",
        board=bench.board.name,
        hint="is the relay's delay right? See rig lab calibrate",
    )


def falls_there(result: TrialResult, target: Target, model: ModelMap, trial: Trial[Any]) -> bool:
    """Whether a landing can be a cut of the model in the phase that was meant that ends as the one that was meant."""
    if result.landing.phase != target.phase:
        return False
    return any(one.settled == target.settled for one in model.possible(result.landing, trial))
