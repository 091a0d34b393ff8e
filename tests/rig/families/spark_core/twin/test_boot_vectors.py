"""The bootloaders of the twin against recordings of genuine ones: every start and every cut, of each generation."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from rig.families.spark_core.twin.boot_once import hashes
from tests.rig.families.spark_core.twin.recorded_starts import Case, Recording, disagreements, journal, outcome

SETS = {"spark": "b", "sparkA": "a2013", "sparkA2014": "a", "sparkC": "c"}
STARTS = [Recording(f"{name}_static", generation) for name, generation in SETS.items()]
CUTS = [Recording(f"{name}_cuts", generation) for name, generation in SETS.items()]


def each(recordings: list[Recording], by: str) -> pytest.MarkDecorator:
    """One test for all vectors of a recording that agree in `by`."""
    kinds = [(r, kind) for r in recordings for kind in sorted({case[by] for case in r.vectors["vectors"]})]
    return pytest.mark.parametrize(("recording", "kind"), kinds, ids=[f"{r.name}-{kind}" for r, kind in kinds])


def cases(recording: Recording, by: str, kind: str) -> Iterator[Case]:
    """Those vectors; there is at least one."""
    return (case for case in recording.vectors["vectors"] if case[by] == kind)


@each(STARTS, "cat")
def test_a_start_settles_as_the_genuine_bootloader_does(recording: Recording, kind: str) -> None:
    wrong = []
    for case in cases(recording, "cat", kind):
        wrong += disagreements(case, outcome(recording.begin(case), case["hold_ms"]), case["result"])
    assert not wrong, "\n".join(wrong[:20])


@each(CUTS, "scenario")
def test_an_uncut_start_does_the_same_operations(recording: Recording, kind: str) -> None:
    case = recording.vectors["scenarios"][kind]
    core = recording.begin(case)
    assert outcome(core, case["hold_ms"]) == case["result"]
    assert journal(core) == case["journal"]


@each(CUTS, "scenario")
def test_a_cut_start_settles_as_the_genuine_bootloader_does(recording: Recording, kind: str) -> None:
    wrong = []
    for case in cases(recording, "scenario", kind):
        core = recording.cut(case)
        wrong += disagreements(case, hashes(core), case["after_cut"])
        core.power_on(core.time)
        wrong += disagreements(case, outcome(core), case["result"])
    assert not wrong, "\n".join(wrong[:20])
