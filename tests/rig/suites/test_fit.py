"""Before a run begins, tests that its rack cannot run are told with the tags that are missing."""

from __future__ import annotations

import pytest

from rig.suites.fit import Lack, lacks

CORE = {"board": "spark-core", "generation": "b", "mode": "wired"}
SLOW = {**CORE, "timing": "real"}
B = ("spark-core", {"generation": "b"})
RACKS = {
    "all fit": ([B, B], [CORE], []),
    "no such tag": ([("spark-core", {"timing": "real"})], [CORE], [("spark-core", ("timing=real",), 1)]),
    "the nearest place counts": (
        [("spark-core", {"generation": "a", "timing": "real"})], [CORE, SLOW], [("spark-core", ("generation=a",), 1)],
    ),
    "tags of two places are no place": (
        [("spark-core", {"generation": "a", "mode": "wired"})],
        [CORE, {"board": "spark-core", "generation": "a"}],
        [("spark-core", ("generation=a",), 1)],
    ),
    "no board of the kind": ([("esp32", {"boot": "wired"})] * 3, [CORE], [("esp32", ("board=esp32",), 3)]),
    "no place at all": ([B], [], [("spark-core", ("board=spark-core",), 1)]),
    "most tests first": (
        [("esp32", {}), *[("spark-core", {"generation": "c"})] * 2], [CORE],
        [("spark-core", ("generation=c",), 2), ("esp32", ("board=esp32",), 1)],
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", RACKS)
def test_what_tests_ask_for_in_vain_is_told(case):
    asked, places, expected = RACKS[case]
    assert [(lack.board, lack.missing, lack.tests) for lack in lacks(asked, places)] == expected


def test_a_lack_is_one_line():
    lack = Lack("esp32", {"timing": "real"}, ("board=esp32",), 12)
    assert str(lack) == "  12  esp32 timing=real (missing: board=esp32)"
