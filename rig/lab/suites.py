"""Running the board suites: pytest in this process, watched test by test, and the report folder it leaves."""

from __future__ import annotations

import os
import signal
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from rig.errors import Misuse, RigError
from rig.evidence.report import write_report
from rig.evidence.results import LAB_FAULT, MISUSE, NOT_RUN, NOTHING, PASSED, RunVerdict, TestResult, judge
from rig.evidence.run_manifest import FOLDER, end_killed_runs, head_of
from rig.files import is_folder, is_of_the_disk, make_folder, unwritable
from rig.firmware.manifest import BoardKind, Manifest
from rig.lab.asked import Wanted, boards_asked_for
from rig.lab.checkout import ROOT, manifest_path, part
from rig.lab.chosen import ASKED, LOST, RACK
from rig.lab.environment import rack_environment
from rig.lab.fit import lacks
from rig.lab.waiting import WaitingWatch

#: pytest's plugins that no board suite needs; each worker would take a second to load them.
UNUSED_PLUGINS = ("cacheprovider", "hypothesispytest", "benchmark")
#: Told as it happens: ("cannot-run", what tests ask for in vain here, rig.lab.fit), ("ended", the id of a killed run
#: whose ledger was ended), ("collected", count),
#: ("started", name), ("finished", TestResult); and, on a thread of its own, ("waiting", who has what is waited for;
#: empty when nothing is any more) and ("told", what was found of the lab).
Listener = Callable[[str, Any], None]


@dataclass(frozen=True, slots=True)
class Run:
    """A finished run."""

    run_id: str
    report: Path
    results: list[TestResult]
    verdict: RunVerdict
    seconds: float
    #: The hash its ledger ends in; None where a worker had not ended.
    head: str | None


class Watcher:
    """A pytest plugin that turns reports into results and tells a listener."""

    def __init__(self, listener: Listener, asked: list[Wanted] | None = None):
        self._listener = listener
        self._asked = asked
        self._open: dict[str, TestResult] = {}
        self._counted = False
        self.results: list[TestResult] = []
        self.broken_by: RigError | None = None

    @pytest.hookimpl(trylast=True)
    def pytest_configure(self, config: pytest.Config) -> None:
        """The listener tells people what happens: pytest's own report would only be in its way."""
        config.pluginmanager.unregister(name="terminalreporter")
        if self._asked is not None:
            config.stash[ASKED] = self._asked

    def pytest_internalerror(self, excrepr: object, excinfo: pytest.ExceptionInfo[BaseException]) -> bool | None:
        """pytest itself broke, or the rack could not be started: that says all in one line."""
        if isinstance(excinfo.value, RigError):
            self.broken_by = self.broken_by or excinfo.value
            return True
        if isinstance(excinfo.value, OSError) and is_of_the_disk(excinfo.value):
            self.broken_by = self.broken_by or unwritable(excinfo.value.filename or "the report", excinfo.value)
            return True
        self.results.append(TestResult("pytest", LAB_FAULT, 0.0, str(excrepr).strip().splitlines()[-1]))
        return None

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Without workers: how many tests there are."""
        if session.items:
            self._listener("collected", len(session.items))

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_node_collection_finished(self, node: Any, ids: list[str]) -> None:
        """With workers: the same, told by each of them and passed on once."""
        if not self._counted:
            self._counted = True
            self._listener("collected", len(ids))

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        """A test begins."""
        self._open[nodeid] = TestResult(spoken_name(nodeid), PASSED, 0.0)
        self._listener("started", self._open[nodeid].name)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """A phase of a test is over; the first that is not good decides."""
        result = self._open.setdefault(report.nodeid, TestResult(spoken_name(report.nodeid), PASSED, 0.0))
        result.seconds += report.duration
        result.properties.update({key: str(value) for key, value in report.user_properties})
        if report.skipped:
            result.result, result.message = NOT_RUN, _reason(report)
        elif report.failed and result.result == PASSED:
            result.result = result.properties.get("fault", LAB_FAULT)
            result.message = _last_line(report)

    def pytest_runtest_logfinish(self, nodeid: str) -> None:
        """A test is over."""
        if result := self._open.pop(nodeid, None):
            self.results.append(result)
            self._listener("finished", result)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """A suite that cannot even be read is the caller's fault."""
        if report.failed:
            self.results.append(TestResult(report.nodeid, MISUSE, 0.0, _last_line(report)))

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """What died in the rack while tests ran explains their faults: it is named, as are boards not brought back."""
        rack = session.config.stash.get(RACK, None)
        for death in rack.dead() if rack is not None else []:
            self.results.append(TestResult("rack", LAB_FAULT, 0.0, death.obituary()))
        for fault in session.config.stash.get(LOST, []):
            self.results.append(TestResult(f"rack: {fault.board}", LAB_FAULT, 0.0, str(fault)))

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any, error: object) -> None:
        """A worker that died takes its test with it: a fault of the lab."""
        if error:
            self.results.append(TestResult(f"worker {node.gateway.id}", LAB_FAULT, 0.0, str(error)))


def spoken_name(nodeid: str) -> str:
    """`test_dfu: update runs [interleaved]` rather than a path."""
    path, _, test = nodeid.partition("::")
    name, bracket, case = test.partition("[")
    words = name.removeprefix("test_").replace("_", " ")
    suite = Path(path).stem.removeprefix("test_").replace("_", " ")
    return f"{suite}: {words}" + (f" [{case}" if bracket else "")


def run_suites(
    *,
    rack: str,
    coordinator: str | None,
    report: Path | None,
    keyword: str | None,
    workers: int,
    manifest: Path | None,
    listener: Listener,
    extra: list[str],
) -> Run:
    """Run tests/boards and write the report folder. Raises Misuse for bad options, LabFault without a coordinator."""
    from rig.lab.acquisition import begin
    from rig.lab.coordinator import coordinator_address

    began = time.monotonic()
    run_id = time.strftime("%Y%m%d-%H%M%S")
    folder = (report or Path("reports") / run_id).absolute()
    if is_folder(folder) and any(folder.iterdir()):
        raise Misuse(f"the report folder {folder} is not empty", hint="name another with --report")
    what = _what_to_run(rack, coordinator, manifest, [*(["-k", keyword] if keyword else []), *extra])
    for number in (signal.SIGINT, signal.SIGTERM):  # SIGINT too: a shell's background jobs begin with it ignored
        signal.signal(number, signal.default_int_handler)
    asked = _asked_for(keyword, what) if keyword or rack != "virtual" else None
    if asked is not None:
        workers = max(1, min(workers, len(asked)))
    if rack != "virtual":
        coordinator = coordinator_address(coordinator)
        workers = max(1, min(workers, _look_at_rack(coordinator, asked or (), listener)))
    make_folder(folder)
    for ended in end_killed_runs(folder.parent, "rig run"):
        listener("ended", ended.run)
    watcher = Watcher(listener, asked)
    arguments = [
        *what,
        *("--rig-report", str(folder)),
        *("--junitxml", str(folder / "junit.xml"), "--alluredir", str(folder / "allure-results")),
        *(["-n", str(workers), "--dist", "loadgroup"] if workers > 1 else []),
        *(["--lg-coordinator", coordinator] if coordinator else []),
    ]
    os.environ["RIG_RUN_ID"] = run_id
    with (
        tempfile.TemporaryDirectory() as notes,
        WaitingWatch(Path(notes), partial(listener, "waiting"), partial(listener, "told")),
    ):
        code = pytest.main(arguments, plugins=[watcher])
        if code == pytest.ExitCode.INTERRUPTED and coordinator:
            begin(coordinator, Path(rack))  # what its workers had
    if watcher.broken_by is not None:
        raise watcher.broken_by
    verdict = _verdict(watcher.results, code)
    write_report(folder, run_id, watcher.results, verdict)
    return Run(run_id, folder, watcher.results, verdict, time.monotonic() - began, head_of(folder / FOLDER))


def _look_at_rack(coordinator: str, asked: Sequence[Wanted], listener: Listener) -> int:
    """Tell what the chosen tests ask for in vain there; returns how many places are free. Raises LabFault."""
    from rig.lab.acquisition import free_places, tags_of_places

    if in_vain := lacks(asked, tags_of_places(coordinator)):
        listener("cannot-run", in_vain)
    return free_places(coordinator)


def _verdict(results: list[TestResult], code: int | pytest.ExitCode) -> RunVerdict:
    """What a run's results come to, by how pytest ended."""
    verdict = judge(results)
    if code == pytest.ExitCode.USAGE_ERROR:
        return RunVerdict(MISUSE, 2)
    if code == pytest.ExitCode.INTERRUPTED and verdict.word in (PASSED, NOTHING):
        return RunVerdict("interrupted", 3)
    return verdict


def _what_to_run(rack: str, coordinator: str | None, manifest: Path | None, chosen: list[str]) -> list[str]:
    """pytest's arguments for the suites on a rack with some firmware. Raises Misuse."""
    if rack != "virtual":
        rack_environment(Path(rack))
    elif coordinator is not None:
        raise Misuse("the virtual rack brings its own coordinator", hint="name your places' environment with --rack")
    firmware = Manifest.load(manifest_path(manifest))
    kinds: tuple[BoardKind, ...] = ("spark-core", "esp32")
    for kind in kinds if rack == "virtual" else ():
        firmware.roles(kind)
    return [
        str(part("tests", "boards")),
        *("--rootdir", str(ROOT), "-c", str(part("pyproject.toml"))),
        *(word for plugin in UNUSED_PLUGINS for word in ("-p", f"no:{plugin}")),
        *("-o", "addopts=--strict-markers"),
        *("--rack", rack, "--rig-manifest", str(firmware.path)),
        *chosen,
    ]


def _asked_for(keyword: str | None, what: list[str]) -> list[Wanted] | None:
    """The boards of the tests that are chosen. Raises Misuse where there is none."""
    try:
        return boards_asked_for(what)
    except Misuse:
        suites = (path.stem.removeprefix("test_") for path in part("tests", "boards").glob("test_*.py"))
        hint = f"suites are {', '.join(sorted(suites))}; some cases run with --long only"
        raise Misuse(f"no test matches -k {keyword}" if keyword else "no test was found", hint=hint) from None


def _last_line(report: pytest.TestReport | pytest.CollectReport) -> str:
    text = str(report.longrepr).strip()
    marked = [line[1:].strip() for line in text.splitlines() if line.startswith("E ")]
    return (marked or text.splitlines() or ["no reason given"])[0 if marked else -1]


def _reason(report: pytest.TestReport) -> str:
    return str(report.longrepr[2]) if isinstance(report.longrepr, tuple) else str(report.longrepr)
