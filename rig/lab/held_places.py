"""Places that this process holds at a coordinator, each with its board: acquiring, building, giving back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rig.boards.board import Board, release_buttons, restart
from rig.errors import LabFault, Misdescribed, RigError, Unreachable
from rig.lab.coordinator import Coordinator
from rig.lab.holder import Holder
from rig.lab.notes import Notes
from rig.lab.targets import build_board
from rig.registry import kinds

#: Notes of places that are being acquired, whose acquisition has no mark yet.
ACQUIRING = "acquiring"


class HeldPlaces:
    """What this process holds, for a run where it works for one.

    A place that could not be given back well is released all the same, and named.
    """

    def __init__(self, coordinator: Coordinator, environment: Path, run: str = ""):
        self.coordinator = coordinator
        self.run = run
        self._environment = environment
        self._boards: dict[str, tuple[Board, Any]] = {}

    def __contains__(self, name: str) -> bool:
        return name in self._boards

    def __getitem__(self, name: str) -> Board:
        return self._boards[name][0]

    @property
    def names(self) -> list[str]:
        """Names of the places."""
        return list(self._boards)

    def acquire(self, name: str) -> None:
        """Acquire a place and mark it as this process's. Raises Misuse, LabFault, Unreachable without its exporter."""
        if lacks := self.coordinator.lacks(name):
            raise Unreachable(f"no exporter offers {lacks}", board=name, hint="is its exporter alive?")
        with Notes(ACQUIRING, self.coordinator.address).noted(name):
            self.coordinator.acquire(name)
            self.coordinator.allow(name, Holder.this_process(self.run).mark)

    def acquire_if_free(self, name: str) -> bool:
        """Acquire a place that looked free; False when somebody was faster. Raises Unreachable without its exporter."""
        try:
            self.acquire(name)
        except Unreachable:
            raise
        except LabFault:
            place = self.coordinator.places()[name]
            if place.acquired or place.reservation:
                return False
            raise
        return True

    def build(self, name: str) -> Board:
        """The board of a place that was acquired; it is released when that fails. Raises Misuse, LabFault.

        Raises Misdescribed for a place that does not say what its board is.
        """
        try:
            self._boards[name] = build_board(self._environment, name, self._kind(name))
        except BaseException:
            self.coordinator.release(name)
            raise
        return self[name]

    def _kind(self, name: str) -> str:
        """Which kind of board a place says that it has. Raises Misdescribed."""
        kind = self.coordinator.places()[name].tags.get("board")
        if not kind:
            mend = self.coordinator.client(name, "set-tags board=KIND")
            raise Misdescribed("its place has no tag board", board=name, hint=f"{mend} with {' or '.join(kinds())}")
        return str(kind)

    def give_back(self, name: str) -> None:
        """Start the board anew, every button let go of, and release its place. Raises LabFault, saying what does it."""
        board, target = self._boards.pop(name)
        try:
            try:
                restart(board)
            finally:
                target.cleanup()
        except LabFault as error:
            raise saying_how(error, self.coordinator, name) from None
        finally:
            self.coordinator.release(name)

    def leave(self, name: str) -> None:
        """Release a place whose board stays as it is, but for its buttons: nobody holds them any more.

        Raises LabFault.
        """
        board, target = self._boards.pop(name)
        try:
            try:
                release_buttons(board)
            finally:
                target.cleanup()
        finally:
            self.coordinator.release(name)


def saying_how(error: RigError, coordinator: Coordinator, name: str) -> RigError:
    """The fault of a board that was not brought back, with its place and with what brings it back later."""
    error.board = error.board or name
    if "labgrid-client" not in (error.hint or ""):
        error.hint = f"{error.hint or 'Mend that.'} Then `rig lab health --reap --coordinator {coordinator.address}`"
    return error
