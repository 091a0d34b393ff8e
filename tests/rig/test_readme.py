"""The README's commands, run as they are printed, in a folder of somebody's own."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from rig.firmware.checkout import ROOT
from tests.boards.long_cases import some_always
from tests.rig.waiting import HANGS

#: One worker runs them all: they share a rack.
pytestmark = pytest.mark.xdist_group("readme")
README = (ROOT / "README.md").read_text()
SCRIPTS = Path(sys.executable).parent


def blocks(language: str) -> dict[str, str]:
    """The README's blocks in a language, by the heading that they stand under."""
    found = re.finditer(r"^#+ ([^\n]*)\n((?:(?!^#+ ).*\n)*)", README.replace("\n# ", "\n"), re.M)
    under = {match[1]: re.findall(rf"^```{language}\n(.*?)^```", match[2], re.M | re.S) for match in found}
    return {heading: "".join(texts) for heading, texts in under.items() if texts}


COMMANDS = blocks("sh")
#: These make an environment of their own: `.ci/run` runs the tests by the second one.
INSTALLS = COMMANDS.pop("Two commands")


@pytest.fixture(scope="module")
def rack():
    command = [sys.executable, "-m", "rig", "up", "--cores", "1", "--time-scale", "0.1", "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        yield json.loads(process.stdout.readline())
        process.terminate()


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "places").symlink_to(ROOT / "places")
    (tmp_path / "my_test.py").write_text(blocks("python")["Write a test"])
    return tmp_path


def test_the_readme_has_a_block_for_each_of_four_people():
    assert list(COMMANDS) == ["You try it", "You have reserved a board", "You keep a nightly", "You release firmware"]
    assert all(3 <= len(text.splitlines()) <= 10 for text in COMMANDS.values())


@pytest.mark.parametrize("heading", some_always(COMMANDS, "You try it"))
def test_a_block_of_the_readme_runs_as_it_is_printed(heading, folder, rack):
    env = {**os.environ, "PATH": f"{SCRIPTS}:{os.environ['PATH']}", "LG_COORDINATOR": rack["coordinator"]}
    done = subprocess.run(
        ["bash", "-euc", COMMANDS[heading]], cwd=folder, env=env, capture_output=True, text=True, timeout=HANGS
    )
    assert done.returncode == 0, f"{done.stdout[-3000:]}\n{done.stderr[-3000:]}"


def test_the_first_command_is_one_line_that_installs_the_rig_and_runs_it():
    first, _tests = INSTALLS.splitlines()
    assert first == "python3 -m venv .venv && .venv/bin/pip install -q -e . && .venv/bin/rig run"


GUIDES = sorted([ROOT / "README.md", *(ROOT / "rig").rglob("README.md"), ROOT / "places" / "README.md"])


@pytest.mark.parametrize("guide", GUIDES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_path_that_a_guide_names_is_there(guide):
    named = set(re.findall(r"`((?:rig|tests|places|firmware-fixtures)/[\w./-]+)`", guide.read_text()))
    assert [path for path in sorted(named) if not (ROOT / path).exists()] == []
