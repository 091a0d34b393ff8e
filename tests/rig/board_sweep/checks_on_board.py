"""Named checks of test_mutants about capsules on boards: where the cut has to fall, and what counts."""

from __future__ import annotations

from types import SimpleNamespace

from rig.board_sweep import on_board
from rig.power.landing import Landing
from rig.recovery.ladder import Outcome
from rig.sweep.scenario import Settled
from tests.rig.board_sweep.made_up import core_map, core_path, core_roles

PREVIOUS = Settled("previous", "self")


def result(phase: str, address: int) -> SimpleNamespace:
    return SimpleNamespace(landing=Landing(phase, address, "read-back", ""))


def trials(path: str = "dfu"):
    board = SimpleNamespace(tags={"generation": "b"}, timing=SimpleNamespace(scale=1.0))
    phases = core_path(path).phases_on(board.tags)
    return {phase: trial_at(0.5, board, core_roles(path)) for phase, trial_at in phases.items()}


def a_cut_is_aimed_at_its_phase_and_place(_folder):
    model = core_map("dfu")
    targets = [model.target((k, "prefix"), trials()) for k in (1, 9, 12, 2_000, 4_600)]
    assert [target.phase for target in targets] == ["erase"] * 2 + ["program"] * 3
    positions = [target.position for target in targets]
    assert positions[0] < 0.25 < positions[1]
    assert positions[2] < positions[3] < positions[4]
    assert 0.4 < positions[3] < 0.46
    assert targets[3].settled == PREVIOUS


def a_landing_elsewhere_is_not_the_capsules(_folder):
    model, trial = core_map("dfu"), trials()["program"]
    target = model.target((2_000, "prefix"), trials())
    fell = {
        phase: on_board.falls_there(result(phase, 0x0800_6000), target, model, trial) for phase in ("erase", "program")
    }
    assert fell == {"erase": False, "program": True}


def what_became_of_a_board_is_compared(_folder):
    board = on_board.OnBoard(SimpleNamespace(outcome=Outcome("previous", "wait", 3.0, "")), 1)
    compared = [
        board.is_as(PREVIOUS),
        board.is_as(Settled("new", "self")),
        board.became("previous"),
        board.became("new"),
    ]
    assert compared == [True, False, True, False]
    assert (board.became("previous/wait"), board.became("previous/reflash")) == (True, False)
