"""The cut map: a mark lies in its phase's band, as far to the right as the cut came."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import pytest

from rig.evidence.cut_map import BANDS, MARGIN, WIDTH, draw_cut_map
from rig.formats import spark_flash as layout

SIZE = 60_000
APP, SLOT = layout.APP_ADDRESS, 0x1D0000
#: Path, phase, where the image goes, where the cut fell, and how far that is into the phase.
LANDINGS = {
    "programming over DFU": ("dfu", "program", APP, APP + SIZE // 4, 0.25),
    "a Core's download, into the slot for updates": ("cloud", "download", APP, layout.OTA_ADDRESS + SIZE // 2, 0.5),
    "an ESP32's download, into the other slot": ("https", "download", SLOT, SLOT + SIZE // 3, 1 / 3),
    "an ESP32's records": ("https", "first-boot", SLOT, 0x10000, 0.5),
    "over the serial port": ("serial", "program", 0x20000, 0x20000 + SIZE * 3 // 4, 0.75),
    "a Core's flags": ("dfu", "commit", APP, layout.FLAGS_ADDRESS + 5, 0.5),
}


@pytest.mark.parametrize("case", LANDINGS)
def test_a_mark_lies_as_far_into_its_phase_as_the_cut_came(case):
    path, phase, to, address, share = LANDINGS[case]
    line = {
        "kind": "cut", "trial": "1", "path": path, "order": "all-first", "to_size": SIZE, "to_address": to,
        "landing": {"phase": phase, "address": address, "known_by": "read-back", "detail": ""},
        "outcome": {"became": "old"},
    }  # fmt: skip
    circles = ET.fromstring(draw_cut_map([line], "map")).iter("{http://www.w3.org/2000/svg}circle")
    mark = (float(next(circles).attrib["cx"]) - MARGIN) / (WIDTH - 2 * MARGIN)
    names, widths = zip(*BANDS[path], strict=True)
    begin = sum(widths[: names.index(phase)])
    assert (mark - begin) / widths[names.index(phase)] == pytest.approx(share, abs=0.01)
