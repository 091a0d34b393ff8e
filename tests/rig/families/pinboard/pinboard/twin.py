"""A pinboard without input and output: its supply, its button and bytes go in; bytes and flash work come out."""

from __future__ import annotations

from collections.abc import Callable

from pinboard.formats import SECTOR
from pinboard.memory import PinboardMemory
from pinboard.programs import bootloader
from rig.firmware.manifest import Image
from rig.twin.board_model import BoardModel
from rig.twin.steps import Reset, Step

#: So much may wait for a board that is busy.
MOST_WAITING = 4 * SECTOR


class Pinboard(BoardModel):
    """The board; `find` tells known images by what lies in flash. `on_output` hears what it says."""

    memory: PinboardMemory

    def __init__(
        self, memory: PinboardMemory, find: Callable[[bytes], Image | None], *, time_scale: float = 1.0, seed: int = 0
    ):
        super().__init__(memory, time_scale=time_scale, seed=seed)
        self.find = find
        self.button = False
        self.on_output: Callable[[bytes], None] = lambda _data: None
        self._heard = bytearray()

    def received(self, data: bytes, now: float) -> None:
        """Bytes came on its port; without power nobody hears them."""
        self._hear(now, lambda: self._heard.extend(data) if self.powered else None)

    @property
    def full(self) -> bool:
        """Whether more is to wait outside."""
        return len(self._heard) > MOST_WAITING

    # -- what programs call ------------------------------------------------------------------------------------------

    def say(self, line: str) -> None:
        """Send a line."""
        self.on_output(line.encode() + b"\n")

    def next_line(self) -> str | None:
        """The next line that came whole; None while there is none."""
        line, newline, rest = self._heard.partition(b"\n")
        if not newline:
            return None
        self._heard = rest
        return line.decode("ascii", "replace")

    # -- how it goes on ----------------------------------------------------------------------------------------------

    def _go_on(self, step: Step) -> None:
        if isinstance(step, Reset):
            self.event("reset")
            self._start()
        else:
            super()._go_on(step)

    def _start(self) -> None:
        self.running = None
        self._heard.clear()
        self._stepper.run(bootloader(self), self.time)

    def _gain_power(self) -> None:
        self._start()

    def _lose_power(self) -> None:
        self._heard.clear()
        super()._lose_power()
