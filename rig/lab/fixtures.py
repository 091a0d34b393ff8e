"""The fixtures that suites ask for: the board, its firmware, the bench, cuts and the ledger."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from rig.errors import Misuse, RigError
from rig.lab.chosen import BOARDS, RUN_ID, chosen_firmware, chosen_rack, is_engineers_own, virtual_coordinator

if TYPE_CHECKING:
    from rig.boards.online import Online
    from rig.campaign.bench import Bench
    from rig.campaign.swap import Played
    from rig.campaign.until_landed import CutUntilLanded
    from rig.evidence.ledger import Ledger
    from rig.firmware.manifest import Image, Manifest
    from rig.lab.acquisition import Boards
    from rig.lab.targets import AnyBoard
    from rig.trust.expectation import AnyScenario

#: The cast whose firmware comes by cable: it has a root of its own on a second host to turn to.
CABLE = "fleet-1.0.7"
#: Letters of a test's name in the names of its files.
MOST_OF_A_NAME = 120


@pytest.fixture(scope="session")
def report_folder(request: pytest.FixtureRequest) -> Path:
    """Where this run's evidence goes."""
    folder = Path(request.config.getoption("--rig-report"))
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@pytest.fixture(scope="session")
def firmware(request: pytest.FixtureRequest) -> Manifest:
    """The manifest of known images."""
    known = chosen_firmware(request.config)
    release: str | None = getattr(request, "param", None)
    return known if release is None else known.trying(release)


@pytest.fixture
def image(firmware: Manifest, board: AnyBoard, request: pytest.FixtureRequest) -> Callable[[str], Image]:
    """The image that plays a part for this kind of board: `image("new")`; without one the test is not run here."""
    variant = request.node.get_closest_marker("firmware")
    roles = firmware.roles(board.kind, variant.args[0] if variant is not None else None)

    def playing(role: str) -> Image:
        if role not in roles:
            pytest.skip(f"not run here: {firmware.path.name} names no {role} image for a {board.kind}")
        return roles[role]

    return playing


@pytest.fixture(scope="session")
def boards(request: pytest.FixtureRequest) -> Iterator[Boards]:
    """What this worker has acquired, from the rack that was asked for."""
    from rig.lab.acquisition import Boards
    from rig.lab.checkout import part

    rack = chosen_rack(request.config)
    if rack == "virtual":
        coordinator, environment = virtual_coordinator(request.config), part("places", "virtual.yaml")
    else:
        from rig.lab.coordinator import coordinator_address

        coordinator = coordinator_address(request.config.getoption("lg_coordinator"))
        environment = Path(rack)
    with Boards(coordinator, environment) as acquired:
        request.config.stash[BOARDS] = acquired
        yield acquired
        del request.config.stash[BOARDS]


@pytest.fixture
def board(request: pytest.FixtureRequest) -> AnyBoard:
    """The board this test's marker asks for; with `--lg-env` the one the engineer has acquired."""
    marker = request.node.get_closest_marker("board")
    if marker is None or len(marker.args) != 1:
        raise Misuse(f"{request.node.name} has no marker board(kind)", hint='@pytest.mark.board("spark-core")')
    if is_engineers_own(request.config):
        from rig.lab.targets import board_of

        own = board_of(request.getfixturevalue("target"), marker.args[0])
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
    from rig.evidence.ledger import Ledger
    from rig.evidence.run_manifest import FOLDER, begin_run

    begin_run(report_folder / FOLDER, request.config.stash[RUN_ID])
    worker = os.environ.get("PYTEST_XDIST_WORKER", "main")
    with Ledger(report_folder / FOLDER / f"{worker}.jsonl") as segment:
        yield segment


@pytest.fixture
def bench(
    board: AnyBoard, firmware: Manifest, ledger: Ledger, report_folder: Path, request: pytest.FixtureRequest
) -> Iterator[Bench[Any]]:
    """The board in its known state, with everything a trial needs.

    It is brought back to that state before the test counts as over: what a test broke shows in that test.
    """
    from rig.campaign.bench import Bench
    from rig.evidence.allure_bridge import attach_timeline, tell_place
    from rig.evidence.timeline import Timeline

    timeline = Timeline()
    request.node.user_properties.append(("place", board.name))
    tell_place(board.name, board.tags)
    variant = request.node.get_closest_marker("firmware")
    roles = firmware.roles(board.kind, variant.args[0] if variant is not None else None)
    bench = Bench(board, roles, ledger, timeline, run_id=request.config.stash[RUN_ID])
    with _quarantined_on_failure(request, bench):
        bench.make_known()
    yield bench
    try:
        _clear_servers(board)  # first: what is offered still would be taken by the start that makes the board known
    finally:
        attach_timeline(timeline)
        name = re.sub(r"[^\w.-]+", "-", request.node.name)[:MOST_OF_A_NAME]
        timeline.write(report_folder / "timelines" / f"{name}.jsonl")
        with _quarantined_on_failure(request, bench):
            if bench.condemned is None:
                bench.make_known()


def _clear_servers(board: AnyBoard) -> None:
    """What a test let a server do for this board ends with the test."""
    from rig.boards.esp32 import Esp32
    from rig.boards.spark_core import SparkCore

    if isinstance(board, Esp32) and board.updates is not None:
        board.updates.clear()
    elif isinstance(board, SparkCore) and board.online is not None:
        board.online.clear()


@contextmanager
def _quarantined_on_failure(request: pytest.FixtureRequest, bench: Bench[Any]) -> Iterator[None]:
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
        if reason is not None and not is_engineers_own(request.config):
            boards: Boards = request.getfixturevalue("boards")
            boards.quarantine(bench.board.name, reason)


@pytest.fixture
def online(bench: Bench[Any]) -> Iterator[Online]:
    """The bench's board in its cloud, from its known state; without a cloud the test is not run here."""
    from rig.lab.targets import the_core

    board = the_core(bench.board)
    if board.online is None:
        pytest.skip(f"not run here: {board.name} has no cloud")

    def note(told: dict[str, Any]) -> None:
        bench.ledger.append("update", {"place": board.name, **told})

    board.online.on_update = note
    board.start()
    board.go_online()
    yield board.online
    board.online.on_update = lambda _told: None


@pytest.fixture
def may_destroy(board: AnyBoard, request: pytest.FixtureRequest) -> None:
    """Only boards whose place says `expendable=yes` may be destroyed, unless somebody allowed it aloud."""
    if board.tags.get("expendable") != "yes" and not request.config.getoption("--allow-destructive"):
        pytest.skip(f"not run here: it destroys {board.name} for good; --allow-destructive runs it all the same")


@pytest.fixture
def cut(bench: Bench[Any], record_property: Any) -> CutUntilLanded:
    """Cut an update until a cut lands where it was aimed; answers what came of that one."""
    from rig.campaign.until_landed import CutUntilLanded

    return CutUntilLanded(bench, record_property)


@pytest.fixture
def swap(bench: Bench[Any], firmware: Manifest, request: pytest.FixtureRequest) -> Callable[[AnyScenario], Played]:
    """Play a scenario of servers' identities on the bench's board; what came of it goes into the ledger."""
    from rig.boards.esp32 import Esp32
    from rig.campaign.key_swap_stage import CoreStage
    from rig.campaign.swap import play
    from rig.campaign.swap_stage import BoardStage

    board = bench.board

    def stage_of_it() -> Any:
        if isinstance(board, Esp32):
            return BoardStage(board, bench.roles, firmware.roles(board.kind, CABLE)["old"])
        return CoreStage(board, bench.roles)

    def on_this_board(scenario: AnyScenario) -> Played:
        bench.timeline.note("rig", f"scenario: {scenario.name}")
        told = {"run": request.config.stash[RUN_ID], "place": board.name, "board": board.kind}
        told |= {"tier": board.tags.get("tier", "unknown"), "firmware": bench.golden.sha256}
        told |= {"trial": f"{told['run']}-{board.name}-{scenario.name}-{time.monotonic_ns()}"}
        told |= {"firmware_name": bench.golden.name, "scenario": scenario.name, "when": scenario.when}
        bench.ledger.append("swap-intent", told)
        with stage_of_it() as stage:
            played = play(scenario, stage)
        bench.ledger.append("swap", {**told, "remark": scenario.remark, **played.told()})
        return played

    return on_this_board


@pytest.fixture
def known_defect(record_property: Any) -> Any:
    """Note that a test proved a known defect, by name: it is counted aloud and counts as good."""

    def note(name: str) -> None:
        record_property("known_defect", name)

    return note
