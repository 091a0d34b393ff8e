"""A baseline, as a user makes and uses it: `rig run --record FILE`, and what later runs say beside it."""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ET

import pytest

from rig.firmware.expectations import Expectations, Situation
from rig.firmware.outcomes import Became
from tests.rig.suites.rig_run import manifest_without_expectations, rig_run

#: A cut while erasing, two while programming, one in a copy's backup, and an image that crashes.
CHOICE = ("-k", "application_area or crashes_at_once or cut_in_its_backup", "-n", "2")


#: All of them look at runs that take a minute.
pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def recorded(tmp_path_factory):
    """A folder with a manifest, what its firmware became in a run, and the report of that run."""
    folder = tmp_path_factory.mktemp("recorded")
    (folder / "manifest.toml").write_text(manifest_without_expectations())
    words = ["--manifest", folder / "manifest.toml", "--record", folder / "mine.toml", "--report", folder / "r"]
    done = rig_run("--json", *words, *CHOICE)
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    return folder, [json.loads(line) for line in done.stdout.splitlines()]


def core(path, case):
    return Situation("spark-core", path, case, "b")


def test_a_recorded_run_writes_what_boards_became_and_finds_no_fault(recorded):
    folder, told = recorded
    mine = Expectations.load(folder / "mine.toml")
    assert mine.expected(core("dfu", "erase")).became == Became("stranded", "reflash")
    assert mine.expected(core("dfu", "program")).became == Became("previous")
    assert mine.expected(core("ota-copy", "backup")).became == Became("new")
    assert told[-1]["compared"] == {"recorded": 5}
    assert [event["text"] for event in told if event["event"] == "told"] == [
        f"what became of boards in 4 cases is in {folder / 'mine.toml'}"
    ]


def test_known_defects_are_kept_and_shown_as_such_everywhere(recorded):
    folder, told = recorded
    name, title = "dfu-cut-in-erase-strands", "A cut while DFU erases strands the Core in DFU"
    assert Expectations.load(folder / "mine.toml").defects[name].title == title
    assert told[-1]["known_defects"][name] == 1
    assert re.search(rf"\| {title} \| {name} \| critical \|", (folder / "r" / "summary.md").read_text())
    junit = {prop.get("value") for prop in ET.parse(folder / "r" / "junit.xml").iter("property")}
    assert {name, title, "critical"} <= junit
    shown = [json.loads(path.read_text()) for path in (folder / "r" / "allure-results").glob("*-result.json")]
    labels = [[label["value"] for label in test["labels"]] for test in shown if title in test.get("description", "")]
    assert len(labels) == 1
    assert {"known defect", "critical"} <= set(labels[0])


@pytest.mark.long
def test_a_later_run_says_what_is_better_the_same_worse_and_moved(recorded, tmp_path):
    folder, _ = recorded
    text = (folder / "mine.toml").read_text()
    text = expecting(text, "erase", 'outcome = "dead"\nrung = "none"')
    text = expecting(text, "program", 'outcome = "old"\nrung = "power-cycle"')
    text = expecting(text, "an image that crashes at once", 'outcome = "old"')
    (tmp_path / "mine.toml").write_text(text)
    (tmp_path / "manifest.toml").write_text('expectations = "mine.toml"\n' + manifest_without_expectations())
    done = rig_run("--manifest", tmp_path / "manifest.toml", "--report", tmp_path / "r", *CHOICE)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "Beside what is expected of this firmware: 1 same, 1 better, 2 moved, 2 worse" in done.stdout
    assert "Run once more on another board: 1 firmware" in done.stdout, "what is worse is so on both boards"
    assert re.search(r"erase → stranded +better than expected: dead \(none\)", done.stdout)
    assert re.search(r"program → previous +moved from what was expected: old \(power-cycle\)", done.stdout)
    assert re.search(r"device fault.*which is worse than old, as mine\.toml expects", done.stdout)
    summary = (tmp_path / "r" / "summary.md").read_text()
    assert "3 outcomes are not those that are expected of this firmware, and no fault:" in summary


def expecting(text, case, outcome):
    """A baseline that expects another outcome of a case, which nobody calls a defect."""
    entry = rf'(case = "{case}"\n(?:generation|variant) = [^\n]*\n(?:variant = [^\n]*\n)?)(?:outcome|rung|defect)[^\[]*'
    changed, count = re.subn(entry, rf"\1{outcome}\n\n", text)
    assert count == 1, text
    return changed


REFUSED = {
    "a file that is there": ("THERE", [], "is there already (hint: --replace writes it anew)"),
    "a folder": ("FOLDER", [], "hint: name a file in a folder that is there"),
    "a file in no folder": ("FOLDER/no/mine.toml", ["--replace"], "hint: name a file in a folder that is there"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_where_no_baseline_can_be_written_nothing_is_run(tmp_path, case):
    where, words, reason = REFUSED[case]
    there = tmp_path / "there.toml"
    there.write_text("# mine\n")
    file = where.replace("THERE", str(there)).replace("FOLDER", str(tmp_path))
    done = rig_run("--record", file, "--report", tmp_path / "r", *words)
    assert (done.returncode, len(done.stderr.strip().splitlines())) == (2, 1)
    assert reason in done.stderr
    assert there.read_text() == "# mine\n"
    assert not (tmp_path / "r").exists()
