"""A board model on the machine's clock: looked at when something is due, and told of aloud when a program breaks.

Nobody has to wake it: whoever tells the board something asks for the time, and the clock looks again afterwards.
"""

from __future__ import annotations

import asyncio
import math
import time
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

from rig.errors import LabFault
from rig.twin.board_model import BoardModel

#: How far the files of a board may lag behind flash work under way.
FILE_LAG_SECONDS = 0.05
#: What a board does before the loop has its turn again, whatever it owes to the clock: a tenth of a second of starts.
MOST_STEPS = 200
#: Where the traceback of a program that broke is, in the board's state folder.
LOG = "twin.log"


class Timed(Protocol):
    """Something beside the board that does things by itself."""

    def due(self) -> float:
        """When it next does something; infinity when it does not."""

    def advance(self, now: float) -> None:
        """Let everything happen that is due until `now`."""


class RealTime:
    """The time of `board` and of the parts `beside` it; `settled` is called whenever both have come up to now."""

    def __init__(
        self,
        board: BoardModel,
        state: Path,
        *,
        beside: Sequence[Timed] = (),
        settled: Sequence[Callable[[], None]] = (),
    ):
        self._board, self._beside, self._settled = board, beside, settled
        self._log = state / LOG
        self._began = time.monotonic()
        self._timer: asyncio.TimerHandle | None = None
        #: The look that comes as soon as what goes on now is over.
        self._soon: asyncio.Handle | None = None
        self._looking = False
        #: What was due at the last look.
        self._due = math.inf
        board.most_steps = MOST_STEPS
        board.when_broken(self._broken)

    def now(self) -> float:
        """Seconds since the process began: the model's time.

        Whoever asks is about to tell the board something, which may change what is due: the clock looks once more when
        that is done.
        """
        if self._soon is None and not self._looking:
            self._soon = asyncio.get_running_loop().call_soon(self._look)
        return self.seconds()

    def seconds(self) -> float:
        """The model's time, for whoever calls `board_changed` when it has told the board what it has to tell."""
        return time.monotonic() - self._began

    def board_changed(self) -> None:
        """The board was told something: the clock looks again if that changed what is due next.

        Else it is left alone, and nobody is told that the board has settled: it has not moved.
        """
        if self._next_due() != self._due:
            self.now()

    async def looked(self) -> None:
        """Wait for the look that was asked for: what breaks at once has broken then."""
        await asyncio.sleep(0)

    def stop(self) -> None:
        """Look no more; the board is brought up to now."""
        self._cancel()
        self._board.catch_up(self.seconds())

    def _look(self) -> None:
        """Let what is due happen, and come back when the next thing is."""
        self._cancel()
        self._looking = True  # what happens now asks for the time, too
        try:
            for part in (*self._beside, self._board):
                part.advance(self.seconds())
            for tell in self._settled:
                tell()
        finally:
            self._looking = False
        self._due = self._next_due()
        if self._due - self.seconds() > FILE_LAG_SECONDS:
            self._board.catch_up(self.seconds())
            self.board_changed()
        wait = self._due - self.seconds()
        if self._board.writing:
            wait = min(wait, FILE_LAG_SECONDS)
        if wait != math.inf:
            self._timer = asyncio.get_running_loop().call_later(max(wait, 0), self._look)

    def _next_due(self) -> float:
        return min(part.due() for part in (*self._beside, self._board))

    def _cancel(self) -> None:
        for handle in (self._soon, self._timer):
            if handle is not None:
                handle.cancel()
        self._soon = self._timer = None

    def _broken(self, fault: LabFault) -> None:
        """Whoever runs the loop is told, whatever made the program go on: a board must not just fall silent."""
        self._log.write_text("".join(traceback.format_exception(fault)))
        fault.hint = f"the traceback is in {self._log}"
        asyncio.get_running_loop().call_exception_handler({"message": "a twin broke", "exception": fault})
