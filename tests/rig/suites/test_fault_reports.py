"""A board at fault tells its story: what was done, expected and seen, wherever a run is read."""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ET
from pathlib import Path
from types import SimpleNamespace

import pytest

from rig.firmware.checkout import part
from tests.rig.suites.rig_run import rig_run

#: Two tests of somebody's own. The first Core loses its supply behind the rig's back, and so never comes back.
#: All of them look at one run that takes a minute.
pytestmark = pytest.mark.long
MINE = """
import pytest

@pytest.mark.board("spark-core", mode="wired", timing="real")
def test_a_core(bench, image):
    bench.board.update(image("new"))
    bench.board.relay.off()
    bench.board.must.be_alive(bench.board.timing.start)

@pytest.mark.board("esp32", boot="wired")
def test_an_esp32(bench, image):
    bench.board.start()
    bench.board.must.be_alive(bench.board.timing.start)
    assert bench.board.log.version() == "9.9"
"""
#: What is told of the first: the line that says it all.
LINE = "core-01: wrote core-9.9, board never appeared on USB within 4 s"


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """`rig run` of these two, with the image that is written called core-9.9."""
    folder = tmp_path_factory.mktemp("stories")
    (folder / "test_mine.py").write_text(MINE)
    text = part("firmware-fixtures", "manifest.toml").read_text()
    text = re.sub(r'^((?:new|name) = )"core-new"', r'\1"core-9.9"', text, flags=re.M)
    (folder / "mine.toml").write_text(re.sub(r"^expectations = .*", "", text, flags=re.M))
    report = folder / "r"
    done = rig_run(folder / "test_mine.py", "--manifest", folder / "mine.toml", "--report", report, "-n", "1")
    assert done.returncode == 1, done.stdout + done.stderr
    return SimpleNamespace(said=done.stdout, report=report)


def allure_says(folder: Path) -> list[str]:
    """The stories that are attached to tests there."""
    attached = [
        attachment["source"]
        for result in folder.glob("*-result.json")
        for attachment in json.loads(result.read_text()).get("attachments", [])
        if attachment["name"] == "what happened"
    ]
    return [(folder / name).read_text() for name in attached]


#: Where a run is read, and how.
PAGES = {
    "the terminal": lambda run: run.said,
    "the summary": lambda run: (run.report / "summary.md").read_text(),
    "JUnit": lambda run: "\n".join(case.text for case in ET.parse(run.report / "junit.xml").iter("failure")),
    "Allure": lambda run: "\n".join(allure_says(run.report / "allure-results")),
    "the log": lambda run: "\n".join(
        json.loads(line)["result"]["fault_report"]
        for line in (run.report / "results.jsonl").read_text().splitlines()
        if '"finished"' in line
    ),
}


@pytest.mark.parametrize("page", PAGES)
def test_a_fault_is_told_with_what_was_done_expected_and_seen(run, page):
    page_text = PAGES[page](run)
    assert "did:       wrote core-9.9" in page_text
    assert "expected:  an application that shows itself within 4 s" in page_text
    assert re.search(r"seen:      nothing on USB for \d+(\.\d)? s", page_text)
    assert re.search(r"ms  rig +wrote core-9\.9\n.*ms  usb +nothing", page_text), "the timeline's end, USB in it"


@pytest.mark.parametrize("page", ["the terminal", "the summary", "JUnit"])
def test_one_line_says_it_all(run, page):
    page_text = (run.report / "junit.xml").read_text() if page == "JUnit" else PAGES[page](run)
    assert LINE in page_text.replace("\\", "")


@pytest.mark.parametrize("page", PAGES)
def test_an_assertion_is_told_with_the_end_of_the_console(run, page):
    page_text = PAGES[page](run)
    assert "did:       power-cycled" in page_text
    assert 'expected:  bench.board.log.version() == "9.9"' in page_text
    assert re.search(r"seen:      '[\d.]+' == '9\.9', [\d.]+ s after that", page_text)
    assert re.search(r"console:\n(.*\n)*.*app_init: App version", page_text)
