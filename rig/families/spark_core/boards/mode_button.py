"""MODE of a Spark Core: what it does to the board is a matter of when it is pressed and for how long it is held."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rig.boards.wiring import Button, wired
from rig.clock import poll
from rig.drivers.progress import Progress, Watcher
from rig.errors import DeviceFault, LabFault, RigInterference
from rig.families.spark_core.drivers.usb_port import DFU, LISTENING
from rig.families.spark_core.formats import flash as layout

if TYPE_CHECKING:
    from rig.families.spark_core.boards.board import SparkCore

#: How often it is looked for what lets a button go.
LOOK_EVERY_SECONDS = 0.05
#: How often MODE is held anew after it was held too long and nothing came of it.
HANDS = 5


class ModeButton:
    """A hand at MODE of `board`; `button` is None where it is not wired: then all raise Misuse."""

    def __init__(self, board: SparkCore, button: Button | None):
        self._board = board
        self._button = button

    @property
    def is_wired(self) -> bool:
        """Whether it can be pressed here."""
        return self._button is not None

    def make_listen(self) -> None:
        """Hold it while the application runs, until that is seen to listen for credentials. Raises DeviceFault.

        Letting go says nothing of when the board took notice; one that a handshake blocks listens later.
        """
        board = self._board
        board.history.add_action("held MODE while it ran")
        board.known = False
        with board.buttons.held(self._wired()):
            ends = board.clock.now() + board.timing.listening_hold
            while board.identity() != LISTENING and board.clock.now() < ends:
                board.clock.sleep(LOOK_EVERY_SECONDS)
        if not poll(lambda: board.identity() == LISTENING, seconds=board.timing.listens, clock=board.clock):
            raise DeviceFault(
                "does not listen when MODE is held: does its firmware run?", board=board.name, expected="listening mode"
            )

    def reset_to_factory(self, watch: Watcher) -> None:
        """Power-cycle with it held for a factory reset; tells `watch` of the power-on. Raises LabFault."""
        board, button = self._board, self._wired()
        board.history.add_action("held MODE from power-on for a factory reset")
        board.power_off()
        with board.buttons.held(button):
            board.power_on()
            watch(Progress("power-on", 0, 1, 1))
            board.clock.sleep(board.timing.factory_hold)

    def enter_dfu(self) -> None:
        """Power-cycle into DFU with it held.

        Raises RigInterference where it was held for so long that it may have been a factory reset, DeviceFault,
        LabFault, and Misdescribed where the board is in DFU under another bus id than its place's.
        """
        board = self._board
        board.history.add_action("held MODE from power-on for DFU")
        held = next((held for held in (self._hold_for_dfu() for _ in range(HANDS)) if held is not None), None)
        if held is None:
            raise LabFault(f"MODE was held too long {HANDS} times", board=board.name, hint="is this machine too busy?")
        seen = board.observe(board.timing.start)
        if held > board.timing.mode_held_too_long and not (seen == DFU and self._differs_from_factory()):
            raise self._interference(held)
        if seen is None:
            self._check_bus_id()
        if seen != DFU:
            raise DeviceFault(
                f"MODE held from power-on ends in {seen or 'silence'}, not in DFU", board=board.name, expected="DFU"
            )

    def _hold_for_dfu(self) -> float | None:
        """Power-cycle with it held for DFU; for how long it was, at the most. Raises RigInterference.

        None where that came to be too long, and nothing of it: the supply goes before MODE does.
        """
        board, button = self._board, self._wired()
        board.power_off()
        with board.buttons.held(button):
            began = board.clock.now()
            board.power_on()
            board.clock.sleep(board.timing.mode_hold)
            is_late = board.clock.now() - began > board.timing.mode_held_too_long
            if is_late:
                board.power_off()
        held = board.clock.now() - began
        if is_late and held > board.timing.mode_untouched:
            raise self._interference(held)
        return None if is_late else held

    def _check_bus_id(self) -> None:
        """For a board that was to be in DFU and shows nothing: see that it is not there under another bus id.

        A Core counts as ours only where it goes with our supply, which is taken for that: a dead board among others
        stays a dead board. Raises Misdescribed, LabFault.
        """
        board = self._board
        before = board.other_dfu_devices()
        if not before:
            return
        board.power_off()

        def gone() -> list[str]:
            return sorted(before.keys() - board.other_dfu_devices().keys())

        if found := poll(gone, seconds=board.timing.off, clock=board.clock):
            raise before[found[0]]
        board.power_on()

    def _differs_from_factory(self) -> bool:
        """Whether the application is none that a factory reset brought. The board must be in DFU."""
        with self._board.dfu() as host:
            area = host.read(layout.APP_ADDRESS, layout.APP_SIZE)
            return area != host.read(layout.FACTORY_ADDRESS, layout.APP_SIZE)

    def _interference(self, held: float) -> RigInterference:
        return RigInterference(
            f"MODE was held for {held:.1f} s: that may have been a factory reset", board=self._board.name
        )

    def _wired(self) -> Button:
        return wired(self._button, "MODE", "mode", board=self._board.name)
