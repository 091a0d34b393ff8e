"""A board whose firmware does not behave as its manifest says, through the whole stack: the model disagrees."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys

import pytest

from rig.firmware.checkout import manifest_path
from tests.rig.rack.rig_up import Up
from tests.rig.waiting import HANGS

RIG = [sys.executable, "-m", "rig"]
#: Its third cut, the first of the commit, is drawn behind the erase of the flags: what was written runs then.
SEED = 0


@pytest.mark.long
def test_an_image_that_crashes_and_should_not_is_found_with_both_capsules(tmp_path):
    crashing = tmp_path / "firmware" / manifest_path().name
    shutil.copytree(manifest_path().parent, crashing.parent)
    before, behind = crashing.read_text().split('name = "core-new"')
    crashing.write_text(before + 'name = "core-new"' + behind.replace('runs = "ok"', 'runs = "crashes"', 1))
    rack = Up("--boards", "spark-core=1", "--time-scale", "0.1", "--manifest", str(crashing))
    try:
        command = [*RIG, "sweep", "spark-core", "dfu", "--place", "core-01", "--most", "3", "--seed", str(SEED)]
        command += ["--coordinator", rack.coordinator, "--report", str(tmp_path / "report"), "--json"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=HANGS)
    finally:
        rack.end()
    told = json.loads(done.stdout)
    assert done.returncode == 1, told["reasons"]
    (found,) = told["disagreements"]
    landed = subprocess.run([*RIG, "replay", found["capsule"]], capture_output=True, text=True, timeout=HANGS)
    assert (landed.returncode, "it does not happen any more" in landed.stdout) == (0, True)
    replayed = subprocess.run([*RIG, "replay", found["model_capsule"]], capture_output=True, text=True, timeout=HANGS)
    assert (replayed.returncode, "new, healed by self" in replayed.stdout) == (1, True)
