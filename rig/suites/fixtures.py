"""The fixtures that suites ask for: the board, its firmware, the bench, cuts and the ledger."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from rig.errors import Misdescribed, Misuse, RigError
from rig.evidence.time_spent import AFTER, BOARD, KNOWN
from rig.suites.attempts import NOT_IN
from rig.suites.board_tests import wanted_by
from rig.suites.own_board import own_board
from rig.suites.report_properties import (
    begin_time_spent,
    false_tier,
    keep_timeline,
    note_firmware,
    note_missing,
    note_place,
    note_roles,
    note_time_spent,
    property_recorder,
    time_spent_of,
)
from rig.suites.run_settings import (
    BOARDS,
    RUN_ID,
    begin_ledger,
    bring_boards_back,
    chosen_firmware,
    handover_of,
    is_engineers_own,
    mark_of_run,
    notifier_of_run,
    where_boards_are,
)

if TYPE_CHECKING:
    from rig.boards.board import Board
    from rig.campaign.bench import Bench
    from rig.campaign.swap import ScenarioResult
    from rig.campaign.until_landed import CutUntilLanded
    from rig.evidence.ledger import Ledger
    from rig.firmware.manifest import Image, Manifest
    from rig.lab.acquisition import Boards
    from rig.trust.expectation import AnyScenario


@pytest.fixture(scope="session")
def report_folder(request: pytest.FixtureRequest) -> Path:
    """Where this run's evidence goes."""
    folder = Path(request.config.option.rig_report)
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@pytest.fixture(scope="session")
def firmware(request: pytest.FixtureRequest) -> Manifest:
    """The manifest of known images."""
    known = chosen_firmware(request.config)
    release: str | None = getattr(request, "param", None)
    return known if release is None else known.trying(release)


@pytest.fixture
def image(firmware: Manifest, board: Board, request: pytest.FixtureRequest) -> Callable[[str], Image]:
    """The image that plays a part for this kind of board: `image("new")`; without one the test is not run here."""
    from rig.firmware.run_firmware import may_fill_in, roles_on
    from rig.suites.needs import lacking

    marker = request.node.get_closest_marker("firmware")
    variant = marker.args[0] if marker is not None else None
    roles = roles_on(firmware, board.kind, board.tags, variant)

    def playing(role: str) -> Image:
        if lack := lacking(firmware, board.kind, variant, {role}, filled_in=may_fill_in(board.tags)):
            pytest.skip(f"not run here: {lack}")
        note_firmware(request.node, [roles[role]])
        return roles[role]

    return playing


@pytest.fixture(scope="session")
def boards(request: pytest.FixtureRequest) -> Iterator[Boards]:
    """What this worker has acquired, from the rack that was asked for."""
    from rig.lab.acquisition import Boards

    if not hasattr(request.config, "workerinput"):  # for workers their controller has done so
        bring_boards_back(request.config)
    config = request.config
    coordinator, environment = where_boards_are(config)
    with Boards(
        coordinator,
        environment,
        wait_seconds=config.option.rig_wait,
        only=config.option.rig_place,
        reaps=False,
        run=mark_of_run(config),
        notifier=notifier_of_run(config),
    ) as acquired:
        config.stash[BOARDS] = acquired
        yield acquired
        del config.stash[BOARDS]


@pytest.fixture
def board(request: pytest.FixtureRequest) -> Iterator[Board]:
    """The board this test's marker asks for; with `--lg-env` the one the engineer has acquired."""
    wanted = wanted_by(request.node)
    if wanted is None:
        raise Misuse(f"{request.node.name} has no marker board(kind)", hint='@pytest.mark.board("KIND")')
    notifier = notifier_of_run(request.config)
    own = is_engineers_own(request.config)
    try:
        with begin_time_spent(request.node).on(BOARD):
            found = (own_board if own else _acquired_board)(request, *wanted)
    finally:
        note_time_spent(request.node)
    found.compare_with_manifest(chosen_firmware(request.config), lambda text: notifier.once(text, text))
    note_place(request.node, found)
    try:
        yield found
    finally:
        note_place(request.node, found)
        note_time_spent(request.node)
        if false := false_tier(found):
            notifier.once(false, false)


def _acquired_board(request: pytest.FixtureRequest, kind: str, tags: Mapping[str, str]) -> Board:
    from rig.lab.acquisition import NotHere

    boards: Boards = request.getfixturevalue("boards")
    first = request.node.stash.get(NOT_IN, None)
    try:
        if first is None:
            return boards.get(kind, tags)
        with handover_of(request.config).waiting_for_a_board():
            return boards.get(kind, tags, but=first)
    except NotHere as lack:
        note_missing(request.node, lack.missing)
        pytest.skip(f"not run here: {lack.message}")


@pytest.fixture(scope="session")
def ledger(report_folder: Path, request: pytest.FixtureRequest) -> Iterator[Ledger]:
    """This worker's segment of the run's ledger."""
    from rig.evidence.ledger import Ledger
    from rig.evidence.run_manifest import FOLDER

    begin_ledger(request.config)
    worker = os.environ.get("PYTEST_XDIST_WORKER", "main")
    with Ledger(report_folder / FOLDER / f"{worker}.jsonl") as segment:
        yield segment


@pytest.fixture
def bench(
    board: Board, firmware: Manifest, ledger: Ledger, report_folder: Path, request: pytest.FixtureRequest
) -> Iterator[Bench[Any]]:
    """The board in its known state, with everything a trial needs.

    It is brought back to that state before the test counts as over: what a test broke shows in that test.
    """
    from rig.boards.board import tier_of
    from rig.campaign.bench import Bench
    from rig.evidence.allure_bridge import report_place
    from rig.evidence.timeline import Timeline
    from rig.firmware.run_firmware import may_fill_in, roles_on
    from rig.suites.needs import needs_of, why_not

    needs = needs_of(request.node)
    if needs is not None and (lack := why_not(firmware, needs, filled_in=may_fill_in(board.tags))):
        pytest.skip(f"not run here: {lack}")
    timeline = Timeline()
    marker = request.node.get_closest_marker("firmware")
    variant: str | None = marker.args[0] if marker is not None else None
    roles = roles_on(firmware, board.kind, board.tags, variant)
    note_roles(request.node, roles)
    spent, run_id = time_spent_of(request.node), request.config.stash[RUN_ID]
    bench = Bench(board, roles, ledger, timeline, run_id=run_id, variant=variant or "", spent=spent)
    with spent.on(KNOWN), _quarantined_on_failure(request, bench):
        bench.restore_known_state()
    note_place(request.node, board)
    report_place(board.name, {**board.tags, "tier": tier_of(board)})
    yield bench
    try:
        with spent.on(AFTER):
            board.clear_servers()  # first: what is offered still would be taken by the start that makes the board known
    finally:
        keep_timeline(timeline, report_folder, request.node.nodeid)
        with spent.on(AFTER), _quarantined_on_failure(request, bench):
            if bench.given_up is None:
                bench.restore_known_state()


@contextmanager
def _quarantined_on_failure(request: pytest.FixtureRequest, bench: Bench[Any]) -> Iterator[None]:
    """Take a board out of circulation that is given up or cannot be brought back; an engineer's own is left to them.

    One whose place is wrongly described is not in quarantine for that: this run asks for it no more.
    """
    from rig.lab.health import is_suspect

    reason: str | None = None
    own = is_engineers_own(request.config)
    try:
        yield
        reason = bench.given_up
    except Misdescribed as error:
        if not own:
            request.getfixturevalue("boards").exclude(bench.board.name, error)
        raise
    except RigError as error:
        if not own and is_suspect(bench.board, error):
            reason = error.message
        raise
    finally:
        if reason is not None and not own:
            boards: Boards = request.getfixturevalue("boards")
            boards.quarantine(bench.board.name, reason)


@pytest.fixture
def may_destroy(board: Board, request: pytest.FixtureRequest) -> None:
    """Only boards whose place says `expendable=yes` may be destroyed, unless somebody allowed it aloud."""
    if board.tags.get("expendable") != "yes" and not request.config.option.rig_allow_destructive:
        allowed_by = "--allow-destructive (of pytest: --rig-allow-destructive)"
        pytest.skip(f"not run here: it destroys {board.name} for good; {allowed_by} runs it all the same")


@pytest.fixture
def cut(bench: Bench[Any], request: pytest.FixtureRequest) -> CutUntilLanded:
    """Cut an update until a cut lands where it was aimed; answers what came of that one."""
    from rig.campaign.until_landed import CutUntilLanded

    return CutUntilLanded(bench, property_recorder(request.node))


@pytest.fixture
def swap(
    bench: Bench[Any], firmware: Manifest, request: pytest.FixtureRequest
) -> Callable[[AnyScenario], ScenarioResult]:
    """Play a scenario of servers' identities on the bench's board; what came of it goes into the ledger."""
    from rig.boards.board import tier_of
    from rig.campaign.recorded_swap import play_recorded
    from rig.campaign.swap import ScenarioUnavailable
    from rig.campaign.swap_capsule import capsule_of
    from rig.family.contract import family_of
    from rig.firmware.run_firmware import roles_on

    board = bench.board

    def other_variant(variant: str) -> Mapping[str, Image]:
        return roles_on(firmware, board.kind, board.tags, variant)

    def setup_of_it() -> AbstractContextManager[Any]:
        try:
            return family_of(board.kind).campaign.scenario_setup(board, bench.roles, other_variant)
        except ScenarioUnavailable as lack:
            pytest.skip(f"not run here: {firmware.path.name} {lack.message}")

    def on_this_board(scenario: AnyScenario) -> ScenarioResult:
        bench.timeline.note("rig", f"scenario: {scenario.name}")
        line = {"run": request.config.stash[RUN_ID], "place": board.name, "board": board.kind}
        line |= {"tier": tier_of(board), "firmware": bench.golden.sha256}
        line |= {"trial": f"{line['run']}-{board.name}-{scenario.name}-{time.monotonic_ns()}"}
        line |= {"firmware_name": bench.golden.name, "scenario": scenario.name, "when": scenario.when}
        bench.ledger.append("swap-intent", line)
        with setup_of_it() as setup:
            capsule = capsule_of(board.kind, scenario, bench.roles, other_variant, board.tags)
            return play_recorded(scenario, setup, bench.ledger, line, capsule)

    return on_this_board
