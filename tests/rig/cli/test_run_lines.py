"""A run whose output is a log: one line a test, nothing wrapped, how far it is, and at the end what needs a look."""

from __future__ import annotations

from pathlib import Path

import pytest

from rig.cli.run_end import closing
from rig.cli.run_lines import PROGRESS_SECONDS, PlainLines, end_lines
from rig.suites.result_collector import Collected
from tests.rig.evidence.records import a_record, a_test
from tests.rig.waiting import until

LONG = a_test("a name of many words " * 20, "device fault", message="it stayed\ndark " * 20)


@pytest.fixture
def log(monkeypatch, capfd):
    """Plays tests through the output of a run whose log is narrow; answers its lines."""
    monkeypatch.setenv("COLUMNS", "20")

    def play(*tests, **options) -> list[str]:
        with PlainLines(**options) as lines:
            lines.listen("collected", Collected(len(tests)))
            for test in tests:
                lines.listen("started", test.name)
                lines.listen("finished", test)
        return capfd.readouterr().out.splitlines()

    return play


def test_a_test_is_one_line_however_long(log):
    _, first, second = log(a_test("short"), LONG)
    assert first == "passed       short  core-01  1.0 s"
    assert second.startswith("device fault a name of many words")
    assert second.endswith("it stayed dark")


def test_a_log_says_once_a_minute_how_far_the_run_is(capfd):
    assert PROGRESS_SECONDS == 60
    shown = []
    with PlainLines(every=0.01) as lines:
        lines.listen("collected", Collected(3))
        for name in ("over", "running"):
            lines.listen("started", name)
        lines.listen("finished", a_test("over", "lab fault"))
        capfd.readouterr()
        until(lambda: shown.extend(capfd.readouterr().out.splitlines()) or shown, "a line of progress")
    assert shown[0].startswith("progress     1 of 3 tests are over after 0:0")
    assert shown[0].endswith("1 not as expected; running: running")


def test_a_log_ends_with_what_needs_a_look_and_whoever_wants_it_gets_all():
    record = a_record(a_test("good"), a_test("bad", "lab fault"), a_test("away", "not run here"))

    def named(verbose: bool) -> list[str]:
        lines = end_lines(record, Path("r"), None, verbose=verbose)
        return [name for name in ("good", "bad", "away") if any(f" {name}  " in line for line in lines)]

    assert named(verbose=False) == ["bad"]
    assert named(verbose=True) == ["good", "bad", "away"]


@pytest.mark.parametrize(("count", "said"), [(1, "1 known defect seen again:"), (2, "2 known defects seen again:")])
def test_one_known_defect_is_told_as_one(count, said):
    found = [a_test(str(number)) for number in range(count)]
    for test in found:
        test.properties["known_defect"] = "burns"
    assert said in list(closing(a_record(*found), Path("r"), None))
