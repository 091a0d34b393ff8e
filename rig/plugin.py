"""The pytest plugin: the options of a run, its markers, who runs what, and whose fault a failure is.

Fixtures are in `rig.lab.fixtures`.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from rig.errors import DeviceFault, Misuse, RigError, Unreachable
from rig.evidence.results import DEVICE_FAULT, LAB_FAULT, MISUSE
from rig.lab.chosen import (
    BOARDS,
    RUN_ID,
    bring_boards_back,
    chosen_firmware,
    chosen_rack,
    is_engineers_own,
    virtual_rack,
)
from rig.lab.holder import RUN_VARIABLE

pytest_plugins = ["rig.lab.fixtures"]


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--rack`, `--rig-manifest` and `--rig-report`."""
    group = parser.getgroup("rig")
    group.addoption(
        "--rack",
        metavar="virtual|FILE",
        help="where boards are: `virtual` (default) starts twins, FILE is a labgrid environment of your coordinator's",
    )
    group.addoption("--allow-destructive", action="store_true", help="let suites destroy any board")
    group.addoption("--long", action="store_true", help="run suites marked `long` too")
    group.addoption("--rig-manifest", metavar="FILE", type=Path, help="manifest of the firmware under test")
    group.addoption("--rig-report", metavar="DIR", help="folder for ledger, timelines and cut maps")


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker and give the run its id."""
    config.addinivalue_line("markers", "board(kind, **tags): run on a board of this kind whose place has these tags")
    config.addinivalue_line("markers", "firmware(variant): start from another cast of the manifest's, by its name")
    config.addinivalue_line("markers", "long: takes its time; run with --long only")
    told = getattr(config, "workerinput", {})
    if "rig_controller" in told:
        from rig.lab.children import die_with

        die_with(told["rig_controller"])
    if not told:
        os.environ[RUN_VARIABLE] = uuid4().hex
    config.option.rig_report = told.get("rig_report") or config.option.rig_report
    if config.option.rig_report is None:
        config.option.rig_report = str(Path(tempfile.gettempdir()) / f"rig-report-{os.getpid()}-{time.time_ns()}")
    config.stash[RUN_ID] = told.get("rig_run_id") or os.environ.get("RIG_RUN_ID") or time.strftime("%Y%m%d-%H%M%S")


def pytest_unconfigure(config: pytest.Config) -> None:
    """The run's ledger is ended by whoever had workers or did it all: every segment is closed then."""
    folder = Path(config.option.rig_report) / "ledger"
    if folder.exists() and not hasattr(config, "workerinput"):
        from rig.evidence.run_manifest import end_run

        end_run(folder, config.stash[RUN_ID])


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """Say where the evidence is."""
    folder = Path(config.getoption("--rig-report"))
    if folder.exists():
        terminalreporter.write_line(f"rig: ledger and timelines are in {folder}")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Where genuine releases were added, every test that takes an image runs with each of them as the new one too."""
    from rig.lab.scheduling import board_kinds

    kinds = board_kinds(metafunc.definition)
    if "image" not in metafunc.fixturenames or not kinds:
        return
    releases = chosen_firmware(metafunc.config).releases(kinds[0])
    if releases:
        metafunc.parametrize(
            "firmware", [None, *releases], ids=["synthetic", *releases], indirect=True, scope="session"
        )


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """The controller of parallel workers owns the rack; each worker is told where its coordinator listens."""
    if is_engineers_own(node.config):
        raise pytest.UsageError("an engineer's own board is one: it cannot serve parallel workers (leave out -n)")
    bring_boards_back(node.config)
    if chosen_rack(node.config) == "virtual":
        node.workerinput["rig_coordinator"] = virtual_rack(node.config).coordinator
    node.workerinput["rig_controller"] = os.getpid()
    node.workerinput["rig_run_id"] = node.config.stash[RUN_ID]
    node.workerinput["rig_report"] = node.config.option.rig_report


@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """A run that is told to end does so at once, and its workers with it: they would make their cuts to the end."""
    controller = session.config.pluginmanager.get_plugin("dsession")
    if exitstatus == pytest.ExitCode.INTERRUPTED and controller is not None:
        controller.nodemanager.EXIT_TIMEOUT = 0


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Tests that ask for the same rare board share a worker; slow ones come first, so that none is waited for last."""
    from rig.lab.scheduling import slowness, write_groups

    if not config.getoption("--long"):
        left_out = [item for item in items if item.get_closest_marker("long")]
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in left_out]
    items.sort(key=slowness, reverse=True)
    if hasattr(config, "workerinput"):
        write_groups(config.option.rig_report, items)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """With `--dist loadgroup`, tests that ask for the same rare board share a worker."""
    if config.getvalue("dist") != "loadgroup":
        return None
    from rig.lab.scheduling import BoardScheduling

    return BoardScheduling(config, log, config.option.rig_report)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None) -> Iterator[None]:
    """A board goes back with its test, unless the next one asks for the same: others may wait for it."""
    try:
        yield
    finally:
        boards = item.config.stash.get(BOARDS, None)
        if boards is not None and (nextitem is None or _asks_for(nextitem) != _asks_for(item)):
            boards.give_back()


def _asks_for(item: pytest.Item) -> object:
    marker = item.get_closest_marker("board")
    return marker and (marker.args, marker.kwargs)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
    """Say whose fault a failure is: an assertion's or DeviceFault's the device's, a Misuse's the caller's.

    A lab fault is an error of the test, never a failure of the device; the rig's own faults are told in one line.
    """
    outcome: Any = yield
    report = outcome.get_result()
    error = call.excinfo.value if call.excinfo is not None else None
    if not report.failed or error is None:
        return
    error = _in_doubt(item, call, error)
    fault = _whose_fault(error)
    for properties in (report.user_properties, item.user_properties):
        properties.append(("fault", fault))
    if isinstance(error, RigError):
        report.longrepr = f"{fault}: {error}"
    if fault == LAB_FAULT and report.when == "call":
        report.when = "setup"  # pytest calls a failure outside of `call` an error, and so do its reports


def _in_doubt(item: pytest.Item, call: pytest.CallInfo[None], error: BaseException) -> BaseException:
    """A failure of a device that could not be heard for a while is the lab's."""
    board = getattr(item, "funcargs", {}).get("board") if item.get_closest_marker("board") else None
    since_ns = time.monotonic_ns() - int(call.duration * 1e9)
    if board is None or _whose_fault(error) != DEVICE_FAULT or not board.hung_since(since_ns):
        return error
    told = " ".join(str(error).split()) or type(error).__name__
    return Unreachable(f"what shows its signs hung, which says nothing of: {told}", board=board.name)


def _whose_fault(error: BaseException) -> str:
    if isinstance(error, (AssertionError, DeviceFault, pytest.fail.Exception)):
        return DEVICE_FAULT
    return MISUSE if isinstance(error, Misuse) else LAB_FAULT
