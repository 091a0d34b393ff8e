"""How a Core is brought back: its rungs, what shows that it lives, and the known state every trial starts from."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from typing import ClassVar

from rig.clock import poll
from rig.errors import RigInterference
from rig.families.spark_core.boards.board import ALIVE, SparkCore
from rig.families.spark_core.drivers.usb_port import DFU, LISTENING
from rig.families.spark_core.formats import flash as layout
from rig.families.spark_core.formats.flash import SystemFlags
from rig.firmware.manifest import Image
from rig.recovery.rescue import Rung

APP, FLAGS = (layout.APP_ADDRESS, layout.APP_SIZE), (layout.FLAGS_ADDRESS, SystemFlags.SIZE)

#: How often something is begun that the rig may spoil.
SPOILED = 3


class CoreRescue:
    """self → wait → power-cycle → reset → reflash → factory-reset; `golden` is what reflashing writes."""

    alive: ClassVar[tuple[str, ...]] = ALIVE
    #: Who shows this stays with it.
    stays: ClassVar[tuple[str, ...]] = (DFU,)

    def __init__(self, board: SparkCore, golden: Image):
        self._board, self._golden = board, golden

    def rungs(self) -> Iterator[Rung]:
        """The rungs this place has, lowest first."""
        board, timing = self._board, self._board.timing
        yield Rung("self", board.power_on, timing.by_itself)
        yield Rung("wait", lambda: None, timing.self_healing)
        yield Rung("power-cycle", board.start, timing.self_healing)
        if board.has_reset:
            yield Rung("reset", board.press_reset, timing.self_healing)
        if board.has_mode:
            yield Rung("reflash", self._reflash, timing.start)
            yield Rung("factory-reset", board.factory_reset, timing.factory_reset)

    def settle(self, seconds: float, started: float) -> str | None:
        """What the board shows once it stays with it: a watchdog may end a DFU that nobody asked for (C3).

        One that shows itself sooner than any watchdog can bite comes from a start that has not started one.
        """
        board = self._board
        sign = board.observe(seconds)
        if sign != DFU or board.clock.now() - started < board.timing.watchdog_soonest:
            return sign
        left = poll(
            lambda: board.identity() != DFU, seconds=board.timing.watchdog, clock=board.clock, every=0.05
        )  # fmt: skip
        if left:
            sign = LISTENING if board.is_alive(board.timing.self_healing) else board.identity()
        return sign

    def lives(self, seconds: float) -> bool:
        """Whether an application shows itself; DFU on the way there does not matter."""
        return self._board.is_alive(seconds)

    def running(self, longest: int) -> bytes | None:
        """The application area, by the reader that changes nothing; None where there is none."""
        if not self._board.has_mode:
            return None
        return self._board.read_application(layout.APP_SIZE)

    def _reflash(self) -> None:
        def write() -> None:
            self._board.enter_dfu()
            self._board.update(self._golden)

        _anew(write)


def restore_core_state(board: SparkCore, roles: Mapping[str, Image]) -> None:
    """Golden application, previous and factory images in their slots, DFU. Raises DeviceFault, LabFault."""
    _anew(lambda: _make_known(board, roles))


def _anew(work: Callable[[], None]) -> None:
    """What writes all that it needs and keeps nothing is done again where the rig spoiled it. Raises what it raises."""
    for _ in range(SPOILED - 1):
        with suppress(RigInterference):
            return work()
    return work()


def _make_known(board: SparkCore, roles: Mapping[str, Image]) -> None:
    golden = roles["old"]
    board.enter_dfu()
    with board.dfu() as host:
        for role, address in (("previous", layout.BACKUP_ADDRESS), ("factory", layout.FACTORY_ADDRESS)):
            image = roles.get(role)
            if image is not None and host.read(address, len(image)) != image.data:
                host.write(address, image.data)
        area = host.read(*APP)
        flags = SystemFlags.unpack(host.read(*FLAGS))
    if area[: len(golden)] != golden.data or flags.ota != layout.OTA_RUN:
        board.update(golden)
        board.must.be_alive(board.timing.start)
        board.enter_dfu()
    board.known = True


class CoreRecovery:
    """As rig.recovery.rescue asks for."""

    def rescue(self, board: SparkCore, _roles: Mapping[str, Image], golden: Image) -> CoreRescue:
        """Its rungs."""
        return CoreRescue(board, golden)

    def restore_known_state(self, board: SparkCore, roles: Mapping[str, Image]) -> None:
        """Golden application, previous and factory images in their slots, DFU. Raises DeviceFault, LabFault."""
        restore_core_state(board, roles)
