"""One run of the board suites: pytest in this process, and the report folder it leaves."""

from __future__ import annotations

import signal
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest

from rig.errors import Misuse, RigError
from rig.evidence.allure_head import FOLDER as ALLURE
from rig.evidence.allure_head import write_allure_head
from rig.evidence.every_cut import EveryCut
from rig.evidence.identity import RunIdentity
from rig.evidence.report import write_report
from rig.evidence.required import Required
from rig.evidence.results import (
    INTERRUPTED,
    LAB_FAULT,
    MISUSE,
    UNDER_WAY,
    RunVerdict,
    TestResult,
    judge,
    judge_coverage,
    judge_interrupted,
)
from rig.evidence.run_life import OpenRun, end_killed_runs
from rig.evidence.run_log import RunLog
from rig.evidence.run_manifest import FOLDER
from rig.evidence.run_record import RunRecord
from rig.evidence.testbed import Testbed
from rig.files import is_folder, make_folder
from rig.firmware.baseline import refuse_to_overwrite
from rig.firmware.checkout import part
from rig.firmware.manifest import Manifest
from rig.firmware.run_firmware import load_firmware, refuse_faults
from rig.lab.environment import rack_environment
from rig.lab.notes import folder_of_a_run
from rig.lab.notifier import NoteNotifier, Notifier, WaitingMonitor
from rig.lab.wanted import Wanted
from rig.rack.boards import read_boards
from rig.suites.every_cut import sweep_kinds
from rig.suites.expectations import expectations_of
from rig.suites.fit import lacks
from rig.suites.recording import record_baseline
from rig.suites.request import RunRequest
from rig.suites.result_collector import Listener
from rig.suites.selection import Chosen, NothingChosen, choose
from rig.suites.tested import what_is_tested
from rig.suites.watcher import Watcher


@dataclass(frozen=True, slots=True)
class Run:
    """A finished run."""

    record: RunRecord
    report: Path
    #: The hash its ledger ends in; None where a worker had not ended.
    head: str | None


def run_suites(request: RunRequest, listener: Listener) -> Run:
    """Run what was asked for and write the report folder. Raises Misuse, LabFault without a coordinator."""
    from rig.lab.coordinator import coordinator_address

    began = time.monotonic()
    run_id = time.strftime("%Y%m%d-%H%M%S")
    folder = (request.report or Path("reports") / run_id).absolute()
    if is_folder(folder) and any(folder.iterdir()):
        raise Misuse(f"the report folder {folder} is not empty", hint="name another with --report")
    if request.record is not None:
        refuse_to_overwrite(request.record, replace=request.replace)
    required = Required.read(request.require) if request.require is not None else None
    firmware = _firmware(request)
    what = request.pytest_words(firmware.path)
    for number in (signal.SIGINT, signal.SIGTERM):  # SIGINT too: a shell's background jobs begin with it ignored
        signal.signal(number, signal.default_int_handler)
    asked = None if request.is_virtual and request.is_everything else _asked_for(request, what)
    workers, coordinator = 1 if request.place else request.workers, None
    if asked is not None:
        workers = max(1, min(workers, len(asked)))
    if request.boards and asked is not None:
        workers = max(1, min(workers, _look_at_plan(request, asked, workers, listener)))
    if not request.is_virtual:
        coordinator = coordinator_address(request.coordinator)
        workers = max(1, min(workers, _look_at_rack(request, coordinator, asked or (), listener)))
    testbed = Testbed(rack=request.rack, coordinator=coordinator)
    tested = what_is_tested(run_id, firmware, testbed, request.selection)
    log = _begin_report(folder, tested, listener)
    if required is not None:
        log.required(required)
    arguments = [
        *what,
        f"--rig-report={folder}",
        *(f"--junitxml={folder / 'junit.xml'}", f"--alluredir={folder / 'allure-results'}"),
        *(["-n", str(workers), "--dist", "loadgroup"] if workers > 1 else []),
        *([f"--lg-coordinator={coordinator}"] if coordinator else []),
    ]
    life = OpenRun.begin(folder / FOLDER, run_id)
    with (
        folder_of_a_run() as notes,
        WaitingMonitor(notes, partial(listener, "waiting"), partial(listener, "told")),
    ):
        watcher = Watcher(listener, log, life, notes)
        code = pytest.main(arguments, plugins=[watcher])
        if coordinator and (code == pytest.ExitCode.INTERRUPTED or watcher.lost_a_worker):
            for lost in _bring_back(coordinator, Path(request.rack), NoteNotifier(notes)):
                watcher.keep(lost)
    head = _end(life, watcher)
    if watcher.broken_by is not None:
        raise watcher.broken_by
    swept = _sweep(watcher, firmware, folder, listener) if code != pytest.ExitCode.INTERRUPTED else []
    record = _record(tested, watcher, required, _verdict(watcher.results, code), time.monotonic() - began)
    record.swept = swept
    log.ended(record.verdict, record.seconds)
    write_report(folder, record)
    if request.record is not None and record.verdict.word != INTERRUPTED:
        count = record_baseline(request.record, folder, firmware, run_id, replace=request.replace)
        listener("told", f"what became of boards in {count} cases is in {request.record}")
    return Run(record, folder, head)


def _record(
    tested: RunIdentity, watcher: Watcher, required: Required | None, verdict: RunVerdict, seconds: float
) -> RunRecord:
    """What the run came to; with coverage that is lost it is not good."""
    results, cases = watcher.results, watcher.cases
    record = RunRecord(tested.narrowed(results), results, verdict, seconds, cases=cases, required=required)
    record.verdict = judge_coverage(verdict, is_lost=bool(record.lost))
    return record


def _begin_report(folder: Path, tested: RunIdentity, listener: Listener) -> RunLog:
    """Say in the report folder and to the listener what is tested, before anything is. Raises Misuse, LabFault."""
    make_folder(folder)
    for ended in end_killed_runs(folder.parent, "rig run"):
        listener("ended", ended.run)
    record = RunRecord(tested, [], UNDER_WAY, 0.0)
    log = RunLog(folder, tested)
    write_allure_head(folder / ALLURE, record)
    listener("begun", record)
    return log


def _sweep(watcher: Watcher, firmware: Manifest, folder: Path, listener: Listener) -> list[EveryCut]:
    """Sweep what was cut on the model, too; a sweep whose proof fails is a result of the run."""
    swept, faults = sweep_kinds(watcher.results, firmware, folder, partial(listener, "told"))
    for fault in faults:
        watcher.keep(fault)
    return swept


def _end(life: OpenRun, watcher: Watcher) -> str | None:
    """End the run's ledger; returns its head. What was done to it meanwhile is a result of the run."""
    try:
        return life.end()
    except RigError as error:
        watcher.keep(TestResult("ledger", LAB_FAULT, 0.0, str(error)))
        return None


def _bring_back(coordinator: str, rack: Path, notifier: Notifier) -> list[TestResult]:
    """Bring back what workers had that were killed, or told to end; returns what could not be."""
    from rig.lab.acquisition import recover_boards

    try:
        faults = recover_boards(coordinator, rack, notifier)
    except RigError as error:
        faults = [error]
    return [TestResult(f"rack: {fault.board or coordinator}", LAB_FAULT, 0.0, str(fault)) for fault in faults]


def tests_of(request: RunRequest) -> list[Chosen]:
    """The tests that a run is about. Raises Misuse where there are none, or not all can be read."""
    chosen = _choose(request, request.pytest_words(_firmware(request).path))
    if chosen is None:
        raise Misuse("not all tests can be read", hint="`rig run` without --list says why")
    return chosen


def _look_at_plan(request: RunRequest, asked: Sequence[Wanted], workers: int, listener: Listener) -> int:
    """Tell what the chosen tests ask for in vain of a rack with so many boards; returns how many there are of them."""
    from rig.rack.plan import RackPlan

    boards = read_boards(request.boards)
    plan = RackPlan.for_cases(asked, workers, request.manifest, every_case=request.long, boards=boards)
    if in_vain := lacks(asked, ({"board": slot.kind, **slot.abilities} for slot in plan.slots)):
        listener("cannot-run", in_vain)
    return len(plan.slots)


def _look_at_rack(request: RunRequest, coordinator: str, asked: Sequence[Wanted], listener: Listener) -> int:
    """Tell what the chosen tests ask for in vain there; returns how many places are free. Raises LabFault, Misuse."""
    from rig.lab.acquisition import free_places, tags_of_places

    places = tags_of_places(coordinator)
    if request.place is not None:
        if request.place not in places:
            raise Misuse(
                f"no place is called {request.place}", hint=f"places are {', '.join(sorted(places)) or 'none'}"
            )
        places = {request.place: places[request.place]}
    if in_vain := lacks(asked, places.values()):
        listener("cannot-run", in_vain)
    return free_places(coordinator)


def _verdict(results: list[TestResult], code: int | pytest.ExitCode) -> RunVerdict:
    """What a run's results come to, by how pytest ended."""
    if code == pytest.ExitCode.USAGE_ERROR:
        return RunVerdict(MISUSE, 2)
    if code == pytest.ExitCode.INTERRUPTED:
        return judge_interrupted(results)
    verdict = judge(results)
    is_explained = code in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED) or verdict.status
    return verdict if is_explained else RunVerdict(LAB_FAULT, 3)


def _look_at_options(request: RunRequest) -> None:
    """See that what was asked for goes with the rack that is meant. Raises Misuse."""
    if not request.is_virtual:
        rack_environment(Path(request.rack))
        if request.boards:
            raise Misuse(f"the boards of {request.rack} are its own", hint="--boards is for the virtual rack")
        return
    if request.place is not None:
        raise Misuse("the virtual rack starts the boards that tests ask for", hint="--place is for --rack FILE")
    if request.coordinator is not None:
        raise Misuse("the virtual rack brings its own coordinator", hint="name your places' environment with --rack")
    read_boards(request.boards)


def _firmware(request: RunRequest) -> Manifest:
    """The firmware under test, once rack and firmware have been looked at. Raises Misuse."""
    _look_at_options(request)
    firmware = load_firmware(request.manifest)
    for kind in firmware.all_kinds() if request.is_virtual else ():
        firmware.roles(kind)
    expectations_of(firmware)
    refuse_faults(firmware)
    return firmware


def _asked_for(request: RunRequest, what: list[str]) -> list[Wanted] | None:
    """The boards of the tests that are chosen; None where not all can be read. Raises Misuse where there is none."""
    chosen = _choose(request, what)
    return None if chosen is None else [test.wanted for test in chosen if test.wanted is not None]


def _choose(request: RunRequest, what: list[str]) -> list[Chosen] | None:
    try:
        return choose(what)
    except NothingChosen:
        suites = (path.stem.removeprefix("test_") for path in part("tests", "boards").rglob("test_*.py"))
        hint = "some cases run with --long only"
        hint = hint if request.files else f"suites are {', '.join(sorted(suites))}; {hint}"
        text = f"no test matches -k {request.keyword}" if request.keyword else "no test was found"
        if request.board is not None:
            text += f" for a board of kind {request.board}"
        raise NothingChosen(text, hint=hint) from None
