"""Planted faults of what carries somebody's own tests."""

from __future__ import annotations

import contextlib

from rig import plugin
from rig.evidence import allure_head, junit, run_log
from rig.evidence.testbed import Testbed
from rig.files import make_folder
from rig.lab import acquisition
from rig.suites import kept_reports, options, own_report, selection, time_limit, titles
from rig.suites.result_collector import ResultCollector
from tests.rig.suites import checks_own_report as of_report
from tests.rig.suites import checks_own_tests as check

REAL_FINISH = plugin.pytest_collection_finish
REAL_INIT, REAL_SECONDS = acquisition.Boards.__init__, options._seconds


def _any_place(self, *words, only=None, **named):
    REAL_INIT(self, *words, **named)


def _in_its_turn(session):
    return REAL_FINISH(session)


def _in_spite_of_it(_seconds):
    return contextlib.nullcontext()


def _every_test_is_of_boards(m):
    for module in (plugin, selection):
        m.setattr(module, "wanted_by", lambda _item: ("spark-core", {}))


def _as_a_run_of_suites(path, record):
    path.with_name(junit.NAME).write_bytes(path.read_bytes())
    junit.write_junit(path.parent, record).replace(path)


def _of_every_test(m):
    for hook in ("pytest_runtest_logstart", "pytest_runtest_logreport"):
        m.setattr(own_report.OwnReport, hook, getattr(ResultCollector, hook))


MUTANTS = {
    "own tests: a case is called by its sentence": (
        lambda m: m.setattr(plugin, "id_of_case", lambda _config, _value: None),
        check.a_case_has_an_id_that_k_takes,
    ),
    "own tests: a slug is all that is left of a sentence": (
        lambda m: m.setattr(titles, "_sentences", lambda _item: ()),
        check.a_case_keeps_its_sentence_as_its_title,
    ),
    "own tests: every case gets a slug": (
        lambda m: m.setattr(plugin, "board_kinds", lambda _definition: ["spark-core"]),
        check.tests_of_others_are_left_as_they_are,
    ),
    "own tests: every test is a board test": (
        _every_test_is_of_boards,
        check.tests_of_others_are_left_as_they_are,
    ),
    "own tests: the controller may be told before it is known what tests ask for": (
        lambda m: m.setattr(plugin, "pytest_collection_finish", _in_its_turn),
        check.what_tests_ask_for_is_known_before_the_controller_is_told,
    ),
    "own tests: a limit says nothing of what was waited for": (
        lambda m: m.setattr(time_limit, "waited_for", lambda _frame: "in the test"),
        check.a_test_over_its_time_says_what_it_waited_for,
    ),
    "own tests: a test takes as long as it takes": (
        lambda m: m.setattr(check, "time_limit", _in_spite_of_it),
        check.a_test_over_its_time_says_what_it_waited_for,
    ),
    "own tests: any place will do": (
        lambda m: m.setattr(acquisition.Boards, "__init__", _any_place),
        check.only_the_place_that_is_meant_is_taken,
    ),
    "own report: the summary has no title": (
        lambda m: m.setattr(Testbed, "titled", lambda _self, run: f"Run {run}"),
        of_report.every_page_says_virtual,
    ),
    "own report: JUnit has no head": (
        lambda m: m.setattr(own_report, "put_head", lambda _path, _record: None),
        of_report.every_page_says_virtual,
    ),
    "own report: Allure has no head": (
        lambda m: m.setattr(own_report, "write_allure_head", lambda _folder, _record, **_how: None),
        of_report.every_page_says_virtual,
    ),
    "own report: JUnit is as that of a run of suites": (
        lambda m: m.setattr(own_report, "put_head", _as_a_run_of_suites),
        of_report.a_junit_file_keeps_its_names,
    ),
    "own report: it is of every test": (
        _of_every_test,
        of_report.only_board_tests_are_in_the_report,
    ),
    "own report: whatever lies in Allure's folder is ours": (
        lambda m: m.setattr(allure_head, "_is_ours", lambda _path: True),
        of_report.what_somebody_wrote_for_allure_stays,
    ),
    "own report: what lies in Allure's folder is somebody's": (
        lambda m: m.setattr(allure_head, "_is_ours", lambda _path: False),
        of_report.what_a_run_before_wrote_for_allure_is_written_anew,
    ),
    "own report: all are kept": (
        lambda m: m.setattr(kept_reports, "KEPT", 99),
        of_report.only_the_last_reports_are_kept,
    ),
    "own report: nobody asks whether a run goes on": (
        lambda m: m.setattr(run_log, "goes_on", lambda _folder: False),
        of_report.the_report_of_a_run_that_goes_on_is_kept,
    ),
    "own report: any folder will do": (
        lambda m: m.setattr(kept_reports, "own_folder", make_folder),
        of_report.a_report_goes_into_no_folder_of_others,
    ),
    "own tests: no times are a number of times": (
        lambda m: m.setattr(options, "_times", lambda text: int(float(text))),
        of_report.a_wrong_number_is_misuse,
    ),
    "own tests: for ever is a number of seconds": (
        lambda m: m.setattr(options, "_seconds", lambda name, text: REAL_SECONDS(name, "1" if text == "inf" else text)),
        of_report.a_wrong_number_is_misuse,
    ),
}
