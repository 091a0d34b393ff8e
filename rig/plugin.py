"""The pytest plugin: boards by tags, firmware, cuts and the ledger as fixtures; the rack they stand in as an option."""

from __future__ import annotations

import os
import re
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from rig.errors import DeviceFault, LabFault, Misuse, RigError
from rig.evidence.results import DEVICE_FAULT, LAB_FAULT, MISUSE
from rig.lab.suites import RACK

if TYPE_CHECKING:
    from rig.boards.spark_core import SparkCore
    from rig.campaign.bench import Bench, Verdict
    from rig.campaign.trial import Trial
    from rig.evidence.ledger import Ledger
    from rig.firmware.manifest import Image, Manifest
    from rig.lab.acquisition import Boards
    from rig.lab.rack import VirtualRack

RUN_ID = pytest.StashKey[str]()
DEFAULT_TRIES = 5


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
    config.addinivalue_line("markers", "long: takes its time; run with --long only")
    told = getattr(config, "workerinput", {})
    config.option.rig_report = told.get("rig_report") or config.option.rig_report
    if config.option.rig_report is None:
        config.option.rig_report = str(Path(tempfile.gettempdir()) / f"rig-report-{os.getpid()}-{time.time_ns()}")
    config.stash[RUN_ID] = told.get("rig_run_id") or os.environ.get("RIG_RUN_ID") or time.strftime("%Y%m%d-%H%M%S")


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """Say where the evidence is."""
    folder = Path(config.getoption("--rig-report"))
    if folder.exists():
        terminalreporter.write_line(f"rig: ledger and timelines are in {folder}")


@pytest.fixture(scope="session")
def report_folder(request: pytest.FixtureRequest) -> Path:
    """Where this run's evidence goes."""
    folder = Path(request.config.getoption("--rig-report"))
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@pytest.fixture(scope="session")
def firmware(request: pytest.FixtureRequest) -> Manifest:
    """The manifest of known images."""
    from rig.firmware.manifest import Manifest
    from rig.lab.checkout import manifest_path

    known = Manifest.load(manifest_path(request.config.option.rig_manifest))
    release: str | None = getattr(request, "param", None)
    return known if release is None else known.trying(release)


def _board_kinds(definition: pytest.Item) -> list[str]:
    """The kinds of board a test's own marker asks for, or those of its cases."""
    own = definition.get_closest_marker("board")
    cases = [
        mark
        for parametrize in definition.iter_markers("parametrize")
        for case in parametrize.args[1]
        for mark in getattr(case, "marks", ())
        if mark.name == "board"
    ]
    return [marker.args[0] for marker in ([own] if own else cases) if marker.args]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Where genuine releases were added, every test that takes an image runs with each of them as the new one too."""
    kinds = _board_kinds(metafunc.definition)
    if "image" not in metafunc.fixturenames or not kinds:
        return
    from rig.firmware.manifest import Manifest
    from rig.lab.checkout import manifest_path

    releases = Manifest.load(manifest_path(metafunc.config.option.rig_manifest)).releases(kinds[0])
    if releases:
        metafunc.parametrize(
            "firmware", [None, *releases], ids=["synthetic", *releases], indirect=True, scope="session"
        )


@pytest.fixture
def image(firmware: Manifest, board: SparkCore) -> Callable[[str], Image]:
    """The image that plays a part for this kind of board: `image("new")`; without one the test is not run here."""
    roles = firmware.roles(board.kind)

    def playing(role: str) -> Image:
        if role not in roles:
            pytest.skip(f"not run here: {firmware.path.name} names no {role} image for a {board.kind}")
        return roles[role]

    return playing


@pytest.fixture(scope="session")
def boards(request: pytest.FixtureRequest) -> Iterator[Boards]:
    """What this worker has acquired, from the rack that was asked for."""
    from rig.lab.acquisition import Boards
    from rig.lab.checkout import DEFAULT_COORDINATOR, part

    rack = _chosen_rack(request.config)
    if rack == "virtual":
        coordinator, environment = _virtual_coordinator(request.config), part("places", "virtual.yaml")
    else:
        chosen = request.config.getoption("lg_coordinator") or os.environ.get("LG_COORDINATOR")
        coordinator, environment = chosen or DEFAULT_COORDINATOR, Path(rack)
    with Boards(coordinator, environment) as acquired:
        yield acquired


def _chosen_rack(config: pytest.Config) -> str:
    chosen: str | None = config.getoption("--rack")
    return chosen or "virtual"


def _engineers_own(config: pytest.Config) -> bool:
    """Whether an engineer's own target is meant; a rack that was named wins over labgrid's variable in the shell."""
    return bool(config.getoption("lg_env") or (os.environ.get("LG_ENV") and not config.getoption("--rack")))


def _virtual_coordinator(config: pytest.Config) -> str:
    """Address of the virtual rack's coordinator: the controller's rack in a worker, else one that starts now."""
    told: str | None = getattr(config, "workerinput", {}).get("rig_coordinator")
    return told or _rack(config).coordinator


def _rack(config: pytest.Config) -> VirtualRack:
    from rig.lab.rack import RackPlan, VirtualRack

    if RACK not in config.stash:
        workers = config.getoption("numprocesses", None) or 1
        rack = VirtualRack(RackPlan.for_suites(workers, config.option.rig_manifest))
        rack.__enter__()
        config.stash[RACK] = rack
        config.add_cleanup(rack.stop)
    return config.stash[RACK]


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """The controller of parallel workers owns the rack; each worker is told where its coordinator listens."""
    if _engineers_own(node.config):
        raise pytest.UsageError("an engineer's own board is one: it cannot serve parallel workers (leave out -n)")
    if _chosen_rack(node.config) == "virtual":
        node.workerinput["rig_coordinator"] = _rack(node.config).coordinator
    node.workerinput["rig_run_id"] = node.config.stash[RUN_ID]
    node.workerinput["rig_report"] = node.config.option.rig_report


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Tests that ask for the same rare board share a worker; those on boards of real timing come first, being slow."""
    from rig.lab.scheduling import rare_board, write_groups

    if not config.getoption("--long"):
        left_out = [item for item in items if item.get_closest_marker("long")]
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in left_out]
    group = {item: rare_board(item) for item in items}
    items.sort(key=lambda item: ("timing=real" not in group[item], not group[item]))
    if hasattr(config, "workerinput"):
        write_groups(config.option.rig_report, items)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """With `--dist loadgroup`, tests that ask for the same rare board share a worker."""
    if config.getvalue("dist") != "loadgroup":
        return None
    from rig.lab.scheduling import BoardScheduling

    return BoardScheduling(config, log, config.option.rig_report)


@pytest.fixture
def board(request: pytest.FixtureRequest) -> SparkCore:
    """The board this test's marker asks for; with `--lg-env` the one the engineer has acquired."""
    marker = request.node.get_closest_marker("board")
    if marker is None or len(marker.args) != 1:
        raise Misuse(f"{request.node.name} has no marker board(kind)", hint='@pytest.mark.board("spark-core")')
    if _engineers_own(request.config):
        from rig.boards.spark_core import SparkCore

        own = SparkCore.from_target(request.getfixturevalue("target"))
        wanted = {"board": marker.args[0], **marker.kwargs}
        lacking = {key: value for key, value in wanted.items() if own.tags.get(key) != value}
        if lacking:
            pytest.skip(f"not run here: {own.name} has no {lacking}")
        return own
    from rig.lab.acquisition import NotHere

    boards: Boards = request.getfixturevalue("boards")
    try:
        return boards.get(marker.args[0], marker.kwargs)
    except NotHere as lack:
        pytest.skip(f"not run here: {lack.message}")


@pytest.fixture(scope="session")
def ledger(report_folder: Path, request: pytest.FixtureRequest) -> Iterator[Ledger]:
    """This worker's segment of the run's ledger."""
    from rig.evidence.ledger import Ledger, write_run_manifest

    worker = os.environ.get("PYTEST_XDIST_WORKER", "main")
    with Ledger(report_folder / "ledger" / f"{worker}.jsonl") as segment:
        yield segment
    if worker == "main":
        write_run_manifest(report_folder / "ledger", request.config.stash[RUN_ID])


@pytest.fixture
def bench(
    board: SparkCore, firmware: Manifest, ledger: Ledger, report_folder: Path, request: pytest.FixtureRequest
) -> Iterator[Bench]:
    """The board in its known state, with everything a trial needs.

    It is brought back to that state before the test counts as over: what a test broke shows in that test.
    """
    from rig.campaign.bench import Bench
    from rig.evidence.allure_bridge import attach_timeline, tell_place
    from rig.evidence.timeline import Timeline

    timeline = Timeline()
    request.node.user_properties.append(("place", board.name))
    tell_place(board.name, board.tags)
    bench = Bench(board, firmware.roles(board.kind), ledger, timeline, run_id=request.config.stash[RUN_ID])
    with _quarantined_on_failure(request, bench):
        bench.make_known()
    yield bench
    attach_timeline(timeline)
    name = re.sub(r"[^\w.-]+", "-", request.node.name)
    timeline.write(report_folder / "timelines" / f"{name}.jsonl")
    with _quarantined_on_failure(request, bench):
        if bench.condemned is None:
            bench.make_known()


@contextmanager
def _quarantined_on_failure(request: pytest.FixtureRequest, bench: Bench) -> Iterator[None]:
    """Take a board out of circulation that is given up or cannot be brought back; an engineer's own is left to them."""
    reason: str | None = None
    try:
        yield
        reason = bench.condemned
    except Misuse:
        raise
    except RigError as error:
        reason = error.message
        raise
    finally:
        if reason is not None and not _engineers_own(request.config):
            boards: Boards = request.getfixturevalue("boards")
            boards.quarantine(bench.board.name, reason)


@pytest.fixture
def may_destroy(board: SparkCore, request: pytest.FixtureRequest) -> None:
    """Only boards whose place says `expendable=yes` may be destroyed, unless somebody allowed it aloud."""
    if board.tags.get("expendable") != "yes" and not request.config.getoption("--allow-destructive"):
        pytest.skip(f"not run here: it destroys {board.name} for good; --allow-destructive runs it all the same")


@pytest.fixture
def cut(bench: Bench, record_property: Any) -> CutUntilLanded:
    """Cut an update until a cut lands where it was aimed; answers what came of that one."""
    return CutUntilLanded(bench, record_property)


class CutUntilLanded:
    """Makes trials with a bound until one lands in the phase it is aimed at; the hit rate is reported."""

    def __init__(self, bench: Bench, record_property: Any):
        self._bench = bench
        self._record = record_property

    def __call__(self, trial: Trial, *, lands: str, tries: int = DEFAULT_TRIES) -> Verdict:
        """The first verdict whose landing is in phase `lands`. Raises LabFault after `tries` that were not."""
        from rig.evidence.allure_bridge import attach_cut

        missed = []
        for number in range(1, tries + 1):
            verdict = self._bench.run(trial)
            attach_cut(verdict.line)
            if verdict.landing.landed and verdict.landing.phase == lands:
                self._record("hit_rate", f"1/{number}")
                self._record("became", f"{lands} → {verdict.outcome.name}")
                return verdict
            missed.append(f"{verdict.landing.phase} ({verdict.landing.known_by})")
        raise LabFault(
            f"{tries} cuts aimed at {lands} landed in {', '.join(missed)}",
            board=self._bench.board.name,
            hint="is the relay's delay right? See rig lab calibrate",
        )


@pytest.fixture
def known_defect(record_property: Any) -> Any:
    """Note that a test proved a known defect, by name: it is counted aloud and counts as good."""

    def note(name: str) -> None:
        record_property("known_defect", name)

    return note


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
    fault = _whose_fault(error)
    for properties in (report.user_properties, item.user_properties):
        properties.append(("fault", fault))
    if isinstance(error, RigError):
        report.longrepr = f"{fault}: {error}"
    if fault == LAB_FAULT and report.when == "call":
        report.when = "setup"  # pytest calls a failure outside of `call` an error, and so do its reports


def _whose_fault(error: BaseException) -> str:
    if isinstance(error, (AssertionError, DeviceFault, pytest.fail.Exception)):
        return DEVICE_FAULT
    return MISUSE if isinstance(error, Misuse) else LAB_FAULT
