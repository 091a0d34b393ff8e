"""Named checks of test_mutants about lines that cuts on boards leave: how the cuts of the model that land there end."""

from __future__ import annotations

from rig.board_sweep.landed_replay import replay_landed
from rig.campaign.landed_capsule import LandedCapsule, capsule_of
from rig.family.contract import family_of
from rig.power.landing import Landing
from rig.recovery.ladder import Outcome
from rig.sweep.scenario import Settled
from tests.rig.board_sweep.made_up import core_roles

TAGS = {"generation": "b"}
PREVIOUS, STRANDED = Outcome("previous", "wait", 3.0, ""), Outcome("none", "reflash", 9.0, "")
SWEEPS = family_of("spark-core").campaign.board_sweeps


def left_by(path: str, phase: str, address: int | None, outcome: Outcome) -> str:
    """The line that a cut on a board leaves."""
    roles = core_roles(path)
    landing = Landing(phase, address, "read-back", "")
    return capsule_of("spark-core", SWEEPS, SWEEPS.reader(path, roles, "program"), TAGS, roles, landing, outcome)


def replayed(path: str, line: str):
    return replay_landed(LandedCapsule.parse(line), list(core_roles(path).values()))


def a_landing_is_played_by_the_cuts_that_it_can_be(_folder):
    line = left_by("dfu", "program", 0x0800_5800, PREVIOUS)
    assert " landed=program@0x8005800 ended=previous/self " in line
    again = replayed("dfu", line)
    assert again.ends == (Settled("previous", "self"),)
    assert again.happens(LandedCapsule.parse(line).ended)
    assert " cut=" in again.capsule


def what_the_model_does_not_say_does_not_happen(_folder):
    again = replayed("dfu", left_by("dfu", "program", 0x0800_5800, STRANDED))
    said = [
        again.happens(end)
        for end in (Settled("stranded", "reflash"), Settled("new", "self"), Settled("previous", "self"))
    ]
    assert said == [False, False, True]


def a_board_that_was_brought_back_is_compared_by_its_rung(_folder):
    line = left_by("dfu", "erase", 0x0800_5800, STRANDED)
    assert replayed("dfu", line).happens(Settled("stranded", "reflash"))
