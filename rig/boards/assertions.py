"""What a test demands of a board. What is not met is a device fault that says what was done, expected and seen."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from rig.clock import poll
from rig.errors import DeviceFault

if TYPE_CHECKING:
    from rig.boards.board import Board


class BoardAssertions:
    """What any board may have to do. Every one of these raises DeviceFault where it does not come so in `seconds`."""

    def __init__(self, board: Board):
        self._board = board

    def be_alive(self, seconds: float) -> None:
        """An application shows itself."""
        with_it = self._looking()
        if not self._board.is_alive(seconds):
            raise with_it("an application that shows itself", seconds)

    def show(self, sign: str, seconds: float) -> None:
        """The first thing the board shows is this sign."""
        with_it = self._looking()
        if self._board.observe(seconds) != sign:
            raise with_it(sign, seconds)

    def be_silent(self, seconds: float) -> None:
        """The board shows nothing at all, for the whole time."""
        shown = self._board.observe(seconds)
        if shown is not None:
            raise self.unmet(f"board showed {shown}", f"nothing for {format_seconds(seconds)}", shown)

    def not_be_alive(self, seconds: float) -> None:
        """No application shows itself, for the whole time."""
        if self._board.is_alive(seconds):
            raise self.unmet("an application runs", f"none that runs for {format_seconds(seconds)}", "an application")

    def satisfy(self, what: str, look: Callable[[], object], seconds: float) -> None:
        """`look` sees something; `what` says in words what that is: "its update is asked for"."""
        began = time.monotonic()
        if not poll(lambda: look() or None, seconds=seconds, clock=self._board.clock):
            raise self.unmet(
                f"board never came to this within {format_seconds(seconds)}: {what}",
                f"{what}, within {format_seconds(seconds)}",
                f"no such thing for {format_seconds(time.monotonic() - began)}",
            )

    def _looking(self) -> Callable[[str, float], DeviceFault]:
        """Begin to look for something; answers what makes the fault of it when it did not come."""
        began, at_ns = time.monotonic(), time.monotonic_ns()

        def fault(expected: str, seconds: float) -> DeviceFault:
            board, within = self._board, f"within {format_seconds(seconds)}"
            shown = ", ".join(board.history.signs_since(at_ns))
            where = board.sign_source
            message = f"showed only {shown} on {where} {within}" if shown else f"never appeared on {where} {within}"
            seen = f"{shown or 'nothing'} on {where} for {format_seconds(time.monotonic() - began)}"
            return self.unmet(f"board {message}", f"{expected} {within}", seen)

        return fault

    def unmet(self, message: str, expected: str, seen: str) -> DeviceFault:
        """The fault of a demand that is not met."""
        board = self._board
        return DeviceFault(message, board=board.name, after=board.history.last_actions, expected=expected, seen=seen)


def format_seconds(seconds: float) -> str:
    """`4 s`, `0.3 s`."""
    return f"{round(seconds, 1):g} s"
