"""A rack for the suites has every board that their cases ask for, so that none is quietly not run."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

import pytest

from rig.lab.rack import RackPlan
from rig.lab.site import Slot

ROOT = Path(__file__).resolve().parents[2]
COLLECTED = """
import json, sys, pytest
class Told:
    def pytest_collection_finish(self, session):
        markers = [item.get_closest_marker("board") for item in session.items]
        print("ASKED", json.dumps([[m.args[0], m.kwargs] for m in markers if m is not None]))
sys.exit(pytest.main(["--collect-only", "-q", "-p", "no:cacheprovider", "tests/boards", *sys.argv[1:]], [Told()]))
"""


def asked(*words: str) -> list[tuple[str, dict[str, str]]]:
    """Kind and tags that each case asks for."""
    done = subprocess.run(
        [sys.executable, "-c", COLLECTED, *words], cwd=ROOT, capture_output=True, text=True, check=True, timeout=120
    )
    line = next(line for line in done.stdout.splitlines() if line.startswith("ASKED "))
    return [(kind, tags) for kind, tags in json.loads(line.removeprefix("ASKED "))]


def tags(slot: Slot) -> dict[str, str]:
    told = defaultdict(str, generation=getattr(slot, "generation", ""), usbip={"busid": ""})
    return {**slot.tags(told, 0), "board": slot.kind}


@pytest.mark.parametrize(("words", "every_case"), [((), False), (("--long",), True)], ids=["ordinary", "long"])
def test_every_case_finds_a_board(words, every_case):
    places = [tags(slot) for slot in RackPlan.for_suites(8, None, every_case=every_case).slots]
    cases = asked(*words)
    assert len(cases) > (400 if every_case else 40)
    for kind, wanted in cases:
        assert any({"board": kind, **wanted}.items() <= place.items() for place in places), (kind, wanted)
