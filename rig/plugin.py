"""The pytest plugin: it loads by itself, and does nothing where there is no board test.

Options are in `rig.suites.options`, fixtures in `rig.suites.fixtures`; whose fault a failure is decides
`rig.suites.faults`.
"""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import Generator, Iterator
from typing import TYPE_CHECKING, Any

import pytest

from rig import escape, registry
from rig.errors import RigError
from rig.evidence.time_spent import BACK
from rig.suites.board_tests import board_kinds, wanted_by
from rig.suites.kept_reports import kept_folder
from rig.suites.options import add_options, read_numbers
from rig.suites.report_properties import note_time_spent, time_spent_of
from rig.suites.run_settings import (
    BOARDS,
    FOUND,
    LIFE,
    OWN_REPORT,
    RUN_ID,
    SHOWN,
    THERE_ARE,
    begin_controller,
    begin_report,
    chosen_firmware,
    end_ledger,
    handover_of,
    look_at_options,
    mark_of_run,
    notes_of_run,
    where_notes_are,
)
from rig.suites.titles import id_of_case, named_by_slugs, title_of

pytest_plugins = ["rig.suites.fixtures", "rig.suites.expecting", "rig.suites.faults"]

if TYPE_CHECKING:
    from rig.suites.handover import CollectedTests


def pytest_addoption(parser: pytest.Parser) -> None:
    """The options of rig.suites.options."""
    add_options(parser)


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Register the markers and give the run its id; a wrong option is told before anybody stumbles over it."""
    config.addinivalue_line("markers", "board(kind, **tags): run on a board of this kind whose place has these tags")
    config.addinivalue_line("markers", "firmware(variant): start from a variant of the manifest's roles, by its name")
    config.addinivalue_line("markers", "long: a board test that takes its time; run with --rig-long only")
    _register_fixtures_of_families(config)
    from_controller = getattr(config, "workerinput", {})
    config.option.rig_report = from_controller.get("rig_report") or config.option.rig_report
    config.stash[RUN_ID] = from_controller.get("rig_run_id") or time.strftime("%Y%m%d-%H%M%S")
    if config.option.rig_report is None:
        config.option.rig_report = str(kept_folder(config.stash[RUN_ID]))
    if from_controller:
        read_numbers(config.option)
    else:
        look_at_options(config)


def _register_fixtures_of_families(config: pytest.Config) -> None:
    """What only one family's suites use; a family that does not load is told of where somebody asks for a board."""
    for kind in registry.kinds():
        with contextlib.suppress(RigError, ImportError, pytest.UsageError):
            if (fixtures := registry.family(kind).suites.fixtures) is not None:
                config.pluginmanager.import_plugin(fixtures)


def pytest_unconfigure(config: pytest.Config) -> None:
    """The run's ledger is ended by whoever had workers or did it all: every segment is closed then."""
    is_ours = FOUND in config.stash or LIFE in config.stash
    if is_ours and SHOWN not in config.stash and not hasattr(config, "workerinput"):
        try:
            end_ledger(config)
            if (report := config.stash.get(OWN_REPORT, None)) is not None:
                report.write(config)
        except RigError as fault:
            print(f"rig: {fault}", file=sys.__stderr__)


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """Say what the run was of boards, which were not real, which known defects were seen, and where the report is."""
    if FOUND not in config.stash:
        return
    from rig.suites.pytest_end import end_lines

    lines = list(end_lines(terminalreporter.stats))
    if (report := config.stash.get(OWN_REPORT, None)) is not None and report.results:
        lines = [report.title, *lines, report.where]
    for line in lines:
        terminalreporter.write_line(f"rig: {escape.one_line(line)}")


# -- which tests there are ---------------------------------------------------------------------------------------------


@pytest.hookimpl(wrapper=True)
def pytest_generate_tests(metafunc: pytest.Metafunc) -> Generator[None, None, None]:
    """Cases of board tests have ids without spaces; each runs as often as was asked for.

    Where genuine releases were added, every test that takes an image runs with each of them as the new one too.
    """
    kinds = board_kinds(metafunc.definition)
    if not kinds:
        return (yield)
    releases = chosen_firmware(metafunc.config).releases(kinds[0]) if "image" in metafunc.fixturenames else ()
    if releases:
        names = ["synthetic", *releases]
        metafunc.parametrize("firmware", [None, *releases], ids=names, indirect=True, scope="session")
    with named_by_slugs(metafunc.config):
        yield
    if (times := metafunc.config.option.rig_repeat) > 1:
        metafunc.fixturenames.append("rig_round")
        metafunc.parametrize("rig_round", range(1, times + 1), ids=[f"round-{n}" for n in range(1, times + 1)])
    return None


def pytest_make_parametrize_id(config: pytest.Config, val: object) -> str | None:
    """A sentence is no word for `-k`."""
    return id_of_case(config, val)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Board tests that are not meant are left out; slow ones come first, so that none is waited for last."""
    if not any(map(wanted_by, items)):
        return
    from rig.suites.scheduling import slowness
    from rig.suites.selection import count_long, leave_out

    config.stash[THERE_ARE] = sum(1 for item in items if wanted_by(item)), count_long(config, items)
    leave_out(config, items)
    items.sort(key=slowness, reverse=True)
    for item in items:
        if wanted_by(item):
            item.user_properties.append(("title", title_of(item)))


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_collection_finish(session: pytest.Session) -> Generator[None, object, object]:
    """What tests ask for is known before a rack is started for them, and before pytest-xdist tells the controller.

    While the controller then starts the rack, workers load what drives its boards.
    """
    _find(session)
    done = yield
    if hasattr(session.config, "workerinput") and FOUND in session.config.stash:
        _load_ahead(session.config.stash[FOUND])
    return done


def _find(session: pytest.Session) -> None:
    if not any(map(wanted_by, session.items)):
        return
    from rig.suites.handover import CollectedTests

    config = session.config
    found = config.stash[FOUND] = CollectedTests.of(session.items, *config.stash[THERE_ARE])
    if not hasattr(config, "workerinput"):
        begin_report(config)
    else:
        from rig.process import exit_with_parent

        exit_with_parent(config.workerinput["rig_controller"])
        handover_of(config).report_collected(found)


def _load_ahead(found: CollectedTests) -> None:
    """No test waits for an import of what takes boards and drives them; what does not load is told by who needs it."""
    import rig.lab.acquisition  # noqa: F401

    for kind in {kind for kind, _tags in found.wanted}:
        with contextlib.suppress(RigError):
            _ = registry.family(kind).board


# -- workers and their controller --------------------------------------------------------------------------------------


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Workers are told of which run they are."""
    node.workerinput["rig_controller"] = os.getpid()
    node.workerinput["rig_run_id"] = node.config.stash[RUN_ID]
    node.workerinput["rig_run_mark"] = mark_of_run(node.config)
    node.workerinput["rig_notes"] = str(where_notes_are(node.config))
    node.workerinput["rig_is_shown"] = SHOWN in node.config.stash
    node.workerinput["rig_report"] = node.config.option.rig_report


@pytest.hookimpl(optionalhook=True, tryfirst=True)
def pytest_xdist_node_collection_finished(node: Any) -> None:
    """The controller of parallel workers owns the rack: it starts what the first of them found tests for."""
    config: pytest.Config = node.config
    if FOUND in config.stash:
        return
    found = handover_of(config).collected()
    if found is not None:
        config.stash[FOUND] = found
        notes_of_run(config)
        if found.wanted:
            begin_report(config)
            begin_controller(config)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """With `--dist loadgroup`, tests that ask for the same rare board share a worker."""
    if config.getvalue("dist") != "loadgroup":
        return None
    from rig.suites.scheduling import BoardScheduling

    return BoardScheduling(config, log, handover_of(config))


@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """A run that is told to end does so at once, and its workers with it: they would make their cuts to the end."""
    controller = session.config.pluginmanager.get_plugin("dsession")
    if FOUND in session.config.stash and exitstatus == pytest.ExitCode.INTERRUPTED and controller is not None:
        controller.nodemanager.EXIT_TIMEOUT = 0


# -- one test after another --------------------------------------------------------------------------------------------


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item, nextitem: pytest.Item | None) -> Generator[None, object, object]:
    """A test whose board failed has a second attempt on another board."""
    properties = list(item.user_properties)
    done = yield
    if wanted_by(item):
        from rig.suites.attempts import begin_second

        if begin_second(item, properties):
            item.ihook.pytest_runtest_protocol(item=item, nextitem=nextitem)
    return done


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, object, object]:
    """A test that takes longer than it may is a failure that says what it waited for."""
    seconds: float | None = item.config.option.rig_timeout
    if seconds is None or not wanted_by(item):
        return (yield)
    from rig.suites.time_limit import time_limit

    with time_limit(seconds):
        return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None) -> Iterator[None]:
    """A board goes back with its test, unless the next one asks for the same: others may wait for it."""
    if wanted_by(item) and item.config.getoption("allure_report_dir", None):
        from rig.evidence.allure_bridge import report_title

        report_title(title_of(item))
    try:
        yield
    finally:
        boards = item.config.stash.get(BOARDS, None)
        if boards is not None and not _is_kept(item, nextitem):
            with time_spent_of(item).on(BACK):
                boards.give_back()
            note_time_spent(item)


def _is_kept(item: pytest.Item, nextitem: pytest.Item | None) -> bool:
    """Whether a test's board stays for the next one: another worker's test that is repeated goes before."""
    if nextitem is None or wanted_by(nextitem) != wanted_by(item):
        return False
    return not (hasattr(item.config, "workerinput") and handover_of(item.config).is_board_waited_for())
