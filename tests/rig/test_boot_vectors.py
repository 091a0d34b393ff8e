"""The bootloaders of the twin against recordings of genuine ones: every start and every cut, of each generation."""

from __future__ import annotations

import pytest
from recorded_starts import Case, Recording, hashes, journal, outcome

SETS = {"spark": "b", "sparkA": "a2013", "sparkA2014": "a", "sparkC": "c"}
STARTS = [Recording(f"{name}_static", generation) for name, generation in SETS.items()]
CUTS = [Recording(f"{name}_cuts", generation) for name, generation in SETS.items()]


def each(recordings: list[Recording]) -> pytest.MarkDecorator:
    """One case each for what these recordings hold."""
    cases = [(r, case) for r in recordings for case in r.vectors["vectors"]]
    return pytest.mark.parametrize(("recording", "case"), cases, ids=[f"{r.name}-{case['id']}" for r, case in cases])


@each(STARTS)
def test_a_start_settles_as_the_genuine_bootloader_does(recording: Recording, case: Case) -> None:
    assert outcome(recording.begin(case), case["hold_ms"]) == case["result"]


@pytest.mark.parametrize(
    ("recording", "name"),
    [pytest.param(r, name, id=f"{r.name}-{name}") for r in CUTS for name in r.vectors["scenarios"]],
)
def test_an_uncut_start_does_the_same_operations(recording: Recording, name: str) -> None:
    case = recording.vectors["scenarios"][name]
    core = recording.begin(case)
    assert outcome(core, case["hold_ms"]) == case["result"]
    assert journal(core) == case["journal"]


@each(CUTS)
def test_a_cut_start_settles_as_the_genuine_bootloader_does(recording: Recording, case: Case) -> None:
    core = recording.cut(case)
    assert hashes(core) == case["after_cut"]
    core.power_on(core.time)
    assert outcome(core) == case["result"]
