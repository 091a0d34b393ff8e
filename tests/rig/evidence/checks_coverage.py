"""Checks of what a run says it covers; planted faults must fail them."""

from __future__ import annotations

from pathlib import Path

from rig.cli.run_end import closing
from rig.evidence.coverage import MISSING, Coverage
from rig.evidence.report import write_report
from rig.evidence.required import Required
from rig.evidence.results import PASSED, RunVerdict
from rig.evidence.run_log import RunLog, read_run
from rig.evidence.run_record import RunRecord
from rig.suites import run
from tests.rig.evidence.records import a_record, a_test, an_identity
from tests.rig.evidence.test_coverage import CASES


def _not_here():
    """A run of one case, and of one that its rack lacks a tag for."""
    away = a_test("a: y", "not run here", message="not run here: no place has mode=wired")
    away.properties[MISSING] = "mode=wired"
    record = a_record(a_test("a: x"), away)
    record.cases, record.required = CASES, Required.read("all")
    return record


def a_case_that_is_not_run_here_was_not_run(_tmp_path):
    assert Coverage.of(CASES, _not_here().results).count == 1


def a_lab_fault_covers_nothing(_tmp_path):
    assert Coverage.of(CASES, [a_test("a: x", "lab fault")]).count == 0


def a_run_that_lost_required_coverage_has_status_3(_tmp_path):
    """As a run is put together at its end."""
    watched = type("Watched", (), {"results": _not_here().results, "cases": CASES})()
    record: RunRecord = run._record(an_identity(), watched, Required.read("all"), RunVerdict(PASSED, 0), 1.0)
    assert record.verdict.status == 3


def a_share_is_of_all_there_are(_tmp_path):
    assert Required.read("50%").lost(Coverage.of(CASES, [a_test("a: x")]))


def a_case_that_nobody_has_is_lost(tmp_path):
    (tmp_path / "f").write_text("a: renamed\n")
    assert Required.read(str(tmp_path / "f")).lost(Coverage.of(CASES, [a_test("a: x")]))


def the_terminal_has_the_missing_tag(_tmp_path):
    assert "  1 not run: missing mode=wired" in list(closing(_not_here(), Path("r"), None))


def the_summary_has_the_missing_tag_of_each(tmp_path):
    write_report(tmp_path, _not_here())
    assert "| a: y | mode=wired |" in (tmp_path / "summary.md").read_text()


def a_killed_run_knows_its_cases(tmp_path):
    RunLog(tmp_path, an_identity()).collected(2, CASES)
    coverage = read_run(tmp_path).coverage
    assert coverage is not None
    assert (coverage.count, len(coverage.not_run), coverage.cases.there_are) == (0, 2, 4)
