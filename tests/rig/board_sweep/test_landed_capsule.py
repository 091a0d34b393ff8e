"""A cut on a board leaves one line, and the model's cuts that land there are found by it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rig.board_sweep.landed_replay import replay_landed
from rig.campaign.landed_capsule import LandedCapsule, capsule_of
from rig.errors import Misuse
from rig.family.contract import family_of
from rig.power.landing import Landing
from rig.recovery.ladder import Outcome
from rig.sweep.scenario import Settled
from tests.rig.board_sweep.checks_landed import PREVIOUS, STRANDED, SWEEPS, TAGS, left_by, replayed
from tests.rig.board_sweep.made_up import core_roles
from tests.rig.sweep.plans import MANIFEST

WORDS = st.from_regex(r"[a-z0-9-]{1,12}", fullmatch=True)


@given(WORDS, st.none() | st.integers(0, 2**32 - 1), st.builds(Settled, WORDS, WORDS))
def test_a_line_reads_back_as_it_was_written(phase, address, ended):
    images = {"new": "588c63040bdaf55e", "old": "e8602712ee128e14"}
    choices = {"generation": "c", "backup-registers": "lost"}
    written = LandedCapsule("spark-core", "dfu", choices, images, phase, address, ended)
    assert LandedCapsule.parse(str(written)) == written


#: Where cuts land over each path, and how boards end there.
LANDED = {
    "ota-copy": ("erase", 0x0800_9000, "old", "self"),
    "factory-button": ("erase", 0x0800_9000, "stranded", "reflash"),
    "dfu-interleaved": ("program", 0x0800_5800, "previous", "self"),
}


@pytest.mark.long
@pytest.mark.parametrize("path", LANDED)
def test_a_landing_over_each_path_is_the_models(path):
    phase, address, became, rung = LANDED[path]
    line = left_by(path, phase, address, STRANDED if rung == "reflash" else PREVIOUS)
    assert replayed(path, line).happens(Settled(became, rung))


def test_an_image_over_itself_and_what_was_not_read_back_leave_no_line():
    roles = core_roles("dfu")
    over_itself, trial = {**roles, "new": roles["old"]}, SWEEPS.reader("dfu", {"new": roles["old"]}, "program")
    landing = Landing("program", 0x0800_5800, "read-back", "")
    assert capsule_of("spark-core", SWEEPS, trial, TAGS, over_itself, landing, PREVIOUS) == ""
    inferred = Landing("program", None, "inferred", "")
    assert (
        capsule_of("spark-core", SWEEPS, SWEEPS.reader("dfu", roles, "program"), TAGS, roles, inferred, PREVIOUS) == ""
    )


def test_a_line_that_was_changed_is_refused():
    with pytest.raises(Misuse, match="was changed"):
        LandedCapsule.parse(left_by("dfu", "program", 0x0800_5800, PREVIOUS).replace("program", "erase"))


def test_a_landing_that_is_none_of_the_models_is_misuse():
    with pytest.raises(Misuse, match="no cut of the model lands there"):
        replayed("dfu", left_by("dfu", "program", 0x0801_F000, PREVIOUS))


@pytest.mark.parametrize("phase", ["download", "first-boot", "probation", "confirm"])
def test_a_landing_over_https_is_told_by_what_was_heard_too(phase):
    sweeps, roles = family_of("esp32").campaign.board_sweeps, MANIFEST.roles("esp32")
    landing = Landing(phase, None, "read-back", "")
    trial = sweeps.reader("https", roles, phase)
    line = capsule_of("esp32", sweeps, trial, {}, roles, landing, Outcome("old", "self", 1.0, ""))
    again = replay_landed(LandedCapsule.parse(line), list(roles.values()))
    assert again.happens(Settled("old", "self"))
