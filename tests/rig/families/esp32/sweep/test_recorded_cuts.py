"""Cuts in genuine second stages' own writes, as recorded: each falls on the map where the genuine board went."""

from __future__ import annotations

import pytest

from tests.rig.families.esp32.formats.recordings import recorded
from tests.rig.families.esp32.formats.test_boot_vectors import CUTS
from tests.rig.families.esp32.sweep.recorded_cuts import RecordedStart, beginning


@pytest.mark.parametrize("recording", CUTS)
def test_every_recorded_cut_is_on_the_map_where_the_genuine_bootloader_went(recording):
    starts, wrong = {}, []
    cases = recorded(recording)["vectors"]
    for case in cases:
        if (same := beginning(case)) not in starts:
            starts[same] = RecordedStart(recording, case)
        found, genuine = starts[same].on_the_map(case["cut"]), case["boots"][0]["slot"]
        if found != genuine:
            wrong.append(f"{case['id']}: {found} instead of {genuine}")
    assert (len(cases), wrong) == (CUTS[recording], [])
