"""Servers change their identity under boards that run: every scenario of firmware-fixtures/scenarios.toml, on boards.

What a board does is told by its servers alone: which handshakes it broke off and with which alert, and what it asked
for. Afterwards it runs what it ran, or what it fetched, and an update reaches it: by itself, because the old identity
is back, or by cable.
"""

from __future__ import annotations

import pytest

from rig.firmware.checkout import part
from rig.trust.expectation import Reach
from rig.trust.scenario import Scenarios

SCENARIOS = Scenarios.load(part("firmware-fixtures", "scenarios.toml"))
#: What runs every time: the outage of July 2024, and a swap under a download that runs.
ALWAYS = (
    ("new-intermediate-under-the-same-root", "fleet-1.0.4"),
    ("swapped-in-the-middle-of-a-download", "default"),
)


def cases() -> list[object]:
    """Each scenario with each firmware that it speaks of, started from that firmware's variant."""
    found = []
    for name in SCENARIOS.names:
        for firmware in SCENARIOS[name].expects:
            marks = [] if (name, firmware) in ALWAYS else [pytest.mark.long]
            marks += [] if firmware == "default" else [pytest.mark.firmware(firmware)]
            found.append(pytest.param(name, firmware, marks=marks, id=f"{name}-{firmware}"))
    return found


@pytest.mark.parametrize(("name", "variant"), cases())
@pytest.mark.board("esp32", boot="wired", bridge="always", timing="scaled")
def test_firmware_does_what_is_expected_of_it_and_is_brought_back(swap, known_defect, name, variant):
    scenario = SCENARIOS[name]
    expected = scenario.change(variant)
    played = swap(scenario)
    assert (str(played.before), str(played.after)) == (str(expected.before), str(expected.after))
    if scenario.when in ("mid-download", "between-pieces"):
        assert played.arrived == (scenario.when == "mid-download" or expected.after.reach is not Reach.DARK)
    if variant.startswith("fleet"):
        for expects, log in zip((expected.before, expected.after), played.check_ins, strict=True):
            assert bool(log) == (expects.reach is not Reach.DARK), (
                "a fleet's operator sees who is served, and no one else"
            )
    assert played.runs_on, "what ran before runs on: nothing is bricked, and no update is applied by halves"
    assert played.updated, "in the end an update reaches it"
    if expected.after.reach is Reach.DARK and expected.before.reach is not Reach.DARK:
        known_defect(f"{variant}-goes-dark")
