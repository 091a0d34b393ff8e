"""How a pinboard is brought back, and the known state that every trial starts from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import ClassVar

from pinboard.boards import EMPTY, Pinboard
from pinboard.formats import APP, FLAG, ROOM, SECTOR, STAGE
from rig.errors import DeviceFault
from rig.firmware.manifest import Image
from rig.recovery.rescue import Rung

BLANK = b"\xff" * ROOM


class PinboardRescue:
    """self → wait → power-cycle → reflash."""

    alive: ClassVar[tuple[str, ...]] = Pinboard.alive
    stays: ClassVar[tuple[str, ...]] = (EMPTY,)

    def __init__(self, board: Pinboard, golden: Image):
        self._board, self._golden = board, golden

    def rungs(self) -> Iterator[Rung]:
        """The rungs this place has, lowest first."""
        board, seconds = self._board, self._board.start_seconds
        yield Rung("self", board.power_on, seconds)
        yield Rung("wait", lambda: None, seconds)
        yield Rung("power-cycle", board.start, seconds)
        if board.has_button:
            yield Rung("reflash", self._reflash, seconds)

    def settle(self, seconds: float, _started: float) -> str | None:
        """What the board shows."""
        return self._board.observe(seconds)

    def lives(self, seconds: float) -> bool:
        """Whether an application shows itself."""
        return self._board.is_alive(seconds)

    def running(self, longest: int) -> bytes | None:
        """The application area, by the reader; None without a button."""
        if not self._board.has_button:
            return None
        self._board.enter_readback_mode()
        return self._board.read_flash([(APP, longest)])[APP]

    def _reflash(self) -> None:
        self._board.enter_readback_mode()
        write_known(self._board, self._golden)
        self._board.start()


class PinboardRecovery:
    """As rig.recovery.rescue asks for."""

    def rescue(self, board: Pinboard, _roles: Mapping[str, Image], golden: Image) -> PinboardRescue:
        """Its rungs."""
        return PinboardRescue(board, golden)

    def restore_known_state(self, board: Pinboard, roles: Mapping[str, Image]) -> None:
        """The golden application and nothing else in flash, the board in its reader. Raises DeviceFault."""
        board.enter_readback_mode()
        write_known(board, roles["old"])
        board.known = True


def write_known(board: Pinboard, golden: Image) -> None:
    """Write what is not as it is in the known state; the board is in its reader. Raises DeviceFault."""
    wanted = {APP: golden.data.ljust(ROOM, b"\xff"), FLAG: BLANK[:SECTOR], STAGE: BLANK}
    stretches = [(address, len(data)) for address, data in wanted.items()]
    for address, there in board.read_flash(stretches).items():
        for at in range(0, len(there), SECTOR):
            if there[at : at + SECTOR] != wanted[address][at : at + SECTOR]:
                board.write_flash(address + at, wanted[address][at : at + SECTOR])
    if board.read_flash(stretches) != wanted:
        raise DeviceFault("flash is not what was written", board=board.name)
