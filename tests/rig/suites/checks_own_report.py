"""What holds of the report of pytest alone: one head on every page, whose tests it is of, and how long it is kept."""

from __future__ import annotations

import os
import tempfile
import xml.etree.ElementTree as ET
from argparse import Namespace
from contextlib import closing
from types import SimpleNamespace
from unittest.mock import patch

import pytest

from rig.errors import Misuse
from rig.evidence.run_log import RunLog, read_run
from rig.suites.kept_reports import is_kept, kept_folder, make_report_folder
from rig.suites.options import read_numbers
from rig.suites.own_report import OwnReport
from tests.rig.evidence.records import an_identity

MINE, OTHER = "test_mine.py::test_it", "test_mine.py::test_without_a_board"
#: What pytest wrote into a file that somebody asked for.
THEIRS = '<testsuite name="pytest"><properties><property name="theirs" value="1" /></properties></testsuite>'
VIRTUAL = "VIRTUAL run r (tier model, no real board): passed"


def written(folder, **allure):
    """A report of one board test and another, with the JUnit and Allure files that were asked of pytest beside it."""
    report = OwnReport(folder / "r", an_identity())
    report._titles = {MINE: "mine: it"}
    told = [("place", "core-01"), ("board", "spark-core"), ("tier", "model")]
    for nodeid in (MINE, OTHER):
        report.pytest_runtest_logstart(nodeid)
        outcome = "passed" if nodeid == MINE else "failed"
        passed = pytest.TestReport(nodeid, (nodeid, 1, "it"), {}, outcome, "no", "call", user_properties=told)
        report.pytest_runtest_logreport(passed)
        report.pytest_runtest_logfinish(nodeid)
    (folder / "j.xml").write_text(f"<testsuites>{THEIRS}</testsuites>")
    (folder / "a").mkdir()
    for name, text in allure.items():
        (folder / "a" / name.replace("_", ".")).write_text(text)
    asked = {"xmlpath": str(folder / "j.xml"), "allure_report_dir": str(folder / "a")}
    report.write(SimpleNamespace(getoption=lambda name, default=None: asked.get(name, default)))
    return folder


def junit_properties(folder):
    suite = ET.parse(folder / "j.xml").getroot().find("testsuite")
    return suite.get("name"), {one.get("name"): one.get("value") for one in suite.iter("property")}


#: The first line of each page, by the page's name.
PAGES = {
    "summary": lambda folder: (folder / "r" / "summary.md").read_text().partition("\n")[0].replace("\\", ""),
    "JUnit": lambda folder: junit_properties(folder)[1].get("rig.title"),
    "Allure": lambda folder: "".join(path.read_text() for path in (folder / "a").glob("environment.properties")),
}


def every_page_says_virtual(folder):
    written(folder)
    for page, title in PAGES.items():
        assert VIRTUAL in str(title(folder)), page


def a_junit_file_keeps_its_names(folder):
    name, properties = junit_properties(written(folder))
    assert (name, properties.get("theirs")) == ("pytest", "1")


def only_board_tests_are_in_the_report(folder):
    assert [result.name for result in read_run(written(folder) / "r").results] == ["mine: it"]


def what_somebody_wrote_for_allure_stays(folder):
    theirs = {"environment_properties": "build=17\n", "executor_json": '{"name": "Jenkins"}'}
    written(folder, **theirs)
    assert [(folder / "a" / name.replace("_", ".")).read_text() for name in theirs] == list(theirs.values())


def what_a_run_before_wrote_for_allure_is_written_anew(folder):
    written(folder, environment_properties="title=VIRTUAL run q\n")
    assert VIRTUAL in PAGES["Allure"](folder)


def _reports(folder, *runs):
    """Report folders of these runs, in the order of their names, in a system that keeps temporary files here."""
    with patch.object(tempfile, "tempdir", str(folder)):
        made = [make_report_folder(kept_folder(run)) for run in runs]
        assert all(map(is_kept, made))
    return made


def only_the_last_reports_are_kept(folder):
    made = _reports(folder, *(f"20261129-12000{second}" for second in range(5)))
    assert [path.exists() for path in made] == [False, False, True, True, True]


def the_report_of_a_run_that_goes_on_is_kept(folder):
    (first,) = _reports(folder, "20261129-110000")
    with closing(RunLog(first, an_identity())):
        _reports(folder, *(f"20261129-12000{second}" for second in range(5)))
        assert first.exists()


def a_report_goes_into_no_folder_of_others(folder):
    others = folder / f"rig-reports-{os.getuid()}"
    others.mkdir()
    others.chmod(0o777)
    message = ""
    try:
        _reports(folder, "20261129-120000")
    except Misuse as error:
        message = str(error)
    assert "is not ours alone" in message


#: Options as they are typed, and what is said of them.
WRONG_NUMBERS = {
    "no times": ({"rig_repeat": "0"}, "--rig-repeat 0 is not a number of times"),
    "a half": ({"rig_repeat": "0.5"}, "--rig-repeat 0.5 is not"),
    "soon": ({"rig_timeout": "soon"}, "--rig-timeout soon is not a number of seconds"),
    "no wait": ({"rig_wait": "-1"}, "--rig-wait -1 is not"),
    "for ever": ({"rig_wait": "inf"}, "--rig-wait inf is not"),
}


def a_wrong_number_is_misuse(_folder):
    for case, (wrong, reason) in WRONG_NUMBERS.items():
        message = ""
        try:
            read_numbers(Namespace(**{"rig_repeat": "1", "rig_timeout": None, "rig_wait": None, **wrong}))
        except Misuse as error:
            message = str(error)
        assert message.startswith(reason), case
