"""The cut map: a mark lies in its phase's band, as far to the right as the cut came."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import pytest

from rig.evidence.cut_map import MARGIN, WIDTH, draw_cut_map
from rig.families.spark_core.formats import flash as layout
from rig.family.contract import families, family_of

SIZE = 60_000
APP, SLOT = layout.APP_ADDRESS, 0x1D0000
#: Kind, path, phase, where the image goes, where the cut fell, and how far that is into the phase.
LANDINGS = {
    "programming over DFU": ("spark-core", "dfu", "program", APP, APP + SIZE // 4, 0.25),
    "a Core's download, into the slot for updates": (
        *("spark-core", "cloud", "download", APP, layout.OTA_ADDRESS + SIZE // 2, 0.5),
    ),
    "an ESP32's download, into the other slot": ("esp32", "https", "download", SLOT, SLOT + SIZE // 3, 1 / 3),
    "an ESP32's records": ("esp32", "https", "first-boot", SLOT, 0x10000, 0.5),
    "over the serial port": ("esp32", "serial", "program", 0x20000, 0x20000 + SIZE * 3 // 4, 0.75),
    "a Core's flags": ("spark-core", "dfu", "commit", APP, layout.FLAGS_ADDRESS + 5, 0.5),
    "an address that is none of the phase": ("spark-core", "dfu", "program", APP, 0, 0.0),
}


@pytest.mark.parametrize("case", LANDINGS)
def test_a_mark_lies_as_far_into_its_phase_as_the_cut_came(case):
    kind, path, phase, to, address, share = LANDINGS[case]
    line = {
        "kind": "cut", "trial": "1", "path": path, "order": "all-first", "to_size": SIZE, "to_address": to,
        "landing": {"phase": phase, "address": address, "known_by": "read-back", "detail": ""},
        "outcome": {"became": "old"},
    }  # fmt: skip
    phases = family_of(kind).update_paths[path]
    circles = ET.fromstring(draw_cut_map([line], phases, "map")).iter("{http://www.w3.org/2000/svg}circle")
    mark = (float(next(circles).attrib["cx"]) - MARGIN) / (WIDTH - 2 * MARGIN)
    at = [each.name for each in phases].index(phase)
    begin = sum(each.width for each in phases[:at])
    assert (mark - begin) / phases[at].width == pytest.approx(share, abs=0.01)


PATHS = [(family, path) for family in families() for path in family.update_paths]


@pytest.mark.parametrize(("family", "path"), PATHS, ids=[f"{family.kind}, {path}" for family, path in PATHS])
def test_the_phases_of_a_path_fill_the_width_and_are_those_that_something_is_expected_of(family, path):
    phases = family.update_paths[path]
    assert sum(phase.width for phase in phases) == pytest.approx(1)
    assert all(family.suites.cases.has(path, phase.name) for phase in phases)
