"""The process of one place: it has the board, makes the cuts that are asked for, and writes a segment of the ledger.

A process that is told to end, or whose parent is gone, gives its board back first: nothing stays behind.
"""

from __future__ import annotations

import signal
from multiprocessing.connection import Connection
from typing import Any

from rig.board_sweep.model_map import ModelMap
from rig.board_sweep.one_cut import Cutter
from rig.board_sweep.stratum import Fell, Stratum, Swept, hashes_of, variant_of
from rig.board_sweep.tally import BEGUN, CONTROL, SWEPT
from rig.board_sweep.task import Order, Said, Task
from rig.boards.board import Board, tier_of
from rig.campaign.bench import Bench
from rig.campaign.strata import BoardPath
from rig.errors import DeviceFault, LabFault, Misdescribed, Misuse, RigError, Unreachable
from rig.evidence.ledger import Ledger
from rig.evidence.timeline import Timeline
from rig.family.contract import family_of
from rig.firmware.image_rules import rules_of
from rig.firmware.manifest import Image, Manifest
from rig.firmware.run_firmware import checked_firmware, roles_with
from rig.lab.acquisition import Boards
from rig.lab.control_cut import control_cut
from rig.lab.graceful_end import GracefulEnd
from rig.lab.health import is_suspect
from rig.process import exit_with_parent

#: Cuts in a row that the lab spoiled, until the place is given up.
MOST_SPOILED = 3


def run(task: Task, parent: int, told: Connection) -> None:
    """Of a process: work until there are no more orders. Who ends it is its parent, and not Ctrl-C."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    ending = GracefulEnd()
    exit_with_parent(parent, signal.SIGTERM)
    with ending.busy():
        try:
            _sweep_place(task, told, ending)
        except RigError as error:
            error.board = error.board or task.place
            told.send(Said("fault", text=str(error), status=error.exit_status))


def _sweep_place(task: Task, told: Connection, ending: GracefulEnd) -> None:
    known = checked_firmware(task.manifest)
    paths = family_of(task.kind).campaign.board_sweeps.paths
    maps = {path: ModelMap(*found, paths[path].begins) for path, found in task.maps.items()}
    with (
        Boards(task.lab.coordinator, task.lab.environment, reaps=False, only=task.place) as boards,
        Ledger(task.segment) as ledger,
    ):
        board = boards.take(task.place)
        board.compare_with_manifest(known, lambda _text: None)
        sweep = PlaceSweep(task, board, known, ledger, told)
        try:
            with ending.interruptible():
                sweep.begin(maps)
                sweep.work()
        except RigError as error:
            if sweep.is_unfit or is_suspect(board, error):
                boards.quarantine(task.place, error.message)
            raise


class PlaceSweep:
    """One board and its segment; `told` is asked for orders and hears each line."""

    def __init__(self, task: Task, board: Board, known: Manifest, ledger: Ledger, told: Connection):
        self._task, self._board, self._known, self._ledger, self._told = task, board, known, ledger, told
        self._spoiled = self._since_control = 0
        #: Whether the board failed in a way that keeps it from being used, whatever else is said of the fault.
        self.is_unfit = False

    def begin(self, maps: dict[str, ModelMap]) -> None:
        """Say what this board can be swept by. Raises Misuse for what its firmware lacks."""
        task, board = self._task, self._board
        roles = roles_with(rules_of(task.kind).known_state, self._known, task.kind, board.tags, task.place)
        sweeps = family_of(task.kind).campaign.board_sweeps
        paths = {name: sweeps.paths[name] for name in task.paths}
        _refuse_lacking(paths, board, roles)
        variant = variant_of(sweeps.choices(board.tags, roles))
        strata = tuple(
            Stratum(tier_of(board), task.kind, variant, name, phase)
            for name, path in paths.items()
            for phase in path.phases_on(board.tags)
        )
        self._bench: Bench[Any] = Bench(board, roles, self._ledger, Timeline(), run_id=task.run_id)
        self._cutter = Cutter(self._bench, paths, maps, task.rules.seed)
        self._told.send(Said("ready", strata=strata))
        built = {"board": task.kind, "variant": variant, "images": hashes_of(roles)}
        self._write(BEGUN, segment=task.segment.name, **built, **task.rules.to_dict())

    def work(self) -> None:
        """Make cuts until none is asked for. Raises DeviceFault, LabFault for a board that must not go on."""
        while (order := self._next_order()) is not None:
            self._make(order)
            if self._since_control >= self._task.rules.policy.control_every:
                self._control()
        if self._since_control:
            self._control()
        self._board.clear_servers()

    def _next_order(self) -> Order | None:
        self._told.send(Said("next"))
        order: Order | None = self._told.recv()
        return order

    def _make(self, order: Order) -> None:
        """Make a cut and write what came of it."""
        self._bench.timeline = Timeline()
        fault: LabFault | None = None
        try:
            swept = self._cutter.cut(order.number, order.stratum)
        except LabFault as error:
            fault, swept = error, Swept(order.number, order.stratum, self._board.name, 0.0, Fell.MISSED)
        except DeviceFault as error:
            self._distrust(error)
            raise
        self._since_control += 1
        self._write(SWEPT, **swept.to_dict())
        self._spoiled = 0 if fault is None else self._spoiled + 1
        if fault is not None and self._spoiled >= MOST_SPOILED:
            raise fault
        if swept.dead:
            self.is_unfit = True
            raise DeviceFault(f"no rung brings it back after {swept.capsule}", board=self._board.name)

    def _control(self) -> None:
        """See that the board is healthy still. Raises DeviceFault, LabFault where it is not."""
        try:
            control_cut(self._board, self._known, lambda _step: None)
        except (DeviceFault, LabFault) as error:
            self._distrust(error)
            raise
        self._since_control = 0
        self._write(CONTROL, passed=True, reason="")

    def _distrust(self, error: DeviceFault | LabFault) -> None:
        """The board is not what it was: nobody knows since which of its cuts."""
        self.is_unfit = not isinstance(error, (Unreachable, Misdescribed))
        self._write(CONTROL, passed=False, reason=error.message)

    def _write(self, kind: str, **content: Any) -> None:
        line = self._ledger.append(kind, {"run": self._task.run_id, "place": self._board.name, **content})
        self._told.send(Said("line", line=line))


def _refuse_lacking(paths: dict[str, BoardPath], board: Board, roles: dict[str, Image]) -> None:
    """Raises Misuse where a manifest lacks an image that a path needs."""
    for name, path in paths.items():
        for trial_at in path.phases_on(board.tags).values():
            try:
                trial_at(0.5, board, path.roles_of(roles))
            except KeyError as error:
                raise Misuse(f"{name} needs an image that plays {error.args[0]}", board=board.name) from None
