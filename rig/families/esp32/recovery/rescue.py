"""How an ESP32 is brought back: its rungs, what shows that it lives, and the known state every trial starts from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from hashlib import md5
from typing import ClassVar

from rig.clock import poll, wait_fixed
from rig.errors import DeviceFault
from rig.families.esp32.boards.board import Esp32
from rig.families.esp32.boards.boot_log import ALIVE, CRASHES, LOOPS, RUNS
from rig.families.esp32.boards.golden import GoldenSet, golden_set
from rig.families.esp32.formats.otadata import Record, State, read_records
from rig.families.esp32.formats.partition_table import PartitionTable
from rig.firmware.manifest import Image
from rig.recovery.rescue import Rung


class Esp32Rescue:
    """self → wait → power-cycle → reset → reflash; `golden` is what reflashing writes."""

    alive: ClassVar[tuple[str, ...]] = ALIVE
    stays: ClassVar[tuple[str, ...]] = (LOOPS,)

    def __init__(self, board: Esp32, golden: GoldenSet):
        self._board, self._golden = board, golden

    def rungs(self) -> Iterator[Rung]:
        """The rungs this place has, lowest first."""
        board, timing = self._board, self._board.timing
        yield Rung("self", board.power_on, timing.start)
        yield Rung("wait", lambda: None, timing.self_healing)
        yield Rung("power-cycle", board.start, timing.self_healing)
        if board.has_reset:
            yield Rung("reset", board.press_reset, timing.self_healing)
        if board.has_boot:
            yield Rung("reflash", self._reflash, timing.start)

    def settle(self, seconds: float, started: float) -> str | None:
        """What the board shows once it stays with it: an application that crashes has shown itself before."""
        board, before = self._board, None
        until = board.clock.now() + seconds
        while True:
            sign = board.observe(max(until - board.clock.now(), 0.0))
            if sign != RUNS:
                return sign or before
            if self._goes_on():
                return sign
            before = CRASHES
            if board.clock.now() >= until:
                return before

    def lives(self, seconds: float) -> bool:
        """Whether an application runs on; what crashed on the way does not matter."""
        return self.settle(seconds, self._board.clock.now()) == RUNS

    def _goes_on(self) -> bool:
        """Whether the application stays: in the network for a while, or for longer than the watchdog takes."""
        board, starts = self._board, self._board.log.starts()

        def has_restarted() -> bool:
            return board.log.starts() > starts

        poll(lambda: has_restarted() or board.log.is_online(), seconds=board.timing.undisturbed, clock=board.clock)
        if board.log.is_online():
            poll(has_restarted, seconds=board.timing.settles, clock=board.clock)
        return not has_restarted()

    def running(self, longest: int) -> bytes | None:
        """The beginning of the partition that the last start loaded; None where nobody can tell."""
        board = self._board
        loaded = board.log.loaded()
        if loaded is None or not board.has_boot:
            return None
        board.enter_readback_mode()
        return board.read_flash([(loaded, longest)])[loaded]

    def _reflash(self) -> None:
        self._board.enter_readback_mode()
        self._board.flash(self._golden)
        self._board.start()


def restore_esp32_state(board: Esp32, roles: Mapping[str, Image]) -> None:
    """The golden set, started once so that otadata says what runs, and download mode. Raises DeviceFault, LabFault."""
    golden = golden_set(roles)
    board.enter_readback_mode()
    if not _is_known(board, golden):
        board.flash(golden)
        board.start()
        if board.bridge_vanishes:  # its first words are lost; what it writes to otadata is not
            wait_fixed(board.timing.start, board.clock)
        else:
            board.must.be_alive(board.timing.start)
        board.enter_readback_mode()
        if not _is_known(board, golden):
            raise DeviceFault(
                "the golden set was written and ran, but flash is not what it should be", board=board.name
            )
    forget_settings(board, golden)
    board.known = True


def forget_settings(board: Esp32, golden: GoldenSet) -> None:
    """Erase what an application remembers: its own start writes there, too."""
    with board.loader() as rom:
        for address, length in golden.settings():
            if rom.digest(address, length) != md5(b"\xff" * length).hexdigest():
                rom.erase(address, length)


def _is_known(board: Esp32, golden: GoldenSet) -> bool:
    where = golden.table.otadata
    assert where is not None
    with board.loader() as rom:
        parts = [(address, data) for address, data in golden.parts() if address != where.offset]
        if any(rom.digest(address, len(data)) != md5(data).hexdigest() for address, data in parts):
            return False
        if any(rom.read(address, 1) != b"\xff" for address in golden.empty_slots()):
            return False
        return is_settled(rom.read(where.offset, where.size), golden.table)


def is_settled(otadata: bytes, table: PartitionTable) -> bool:
    """Whether otadata is what a first start leaves: a factory application's stays blank, slot 0's says so."""
    first, second = read_records(otadata)
    if table.factory is not None:
        return first.initial and second.initial
    return first == Record.of(1, State.VALID) and second.initial


class Esp32Recovery:
    """As rig.recovery.rescue asks for."""

    def rescue(self, board: Esp32, roles: Mapping[str, Image], _golden: Image) -> Esp32Rescue:
        """Its rungs."""
        return Esp32Rescue(board, golden_set(roles))

    def restore_known_state(self, board: Esp32, roles: Mapping[str, Image]) -> None:
        """The golden set, started once, in download mode. Raises DeviceFault."""
        restore_esp32_state(board, roles)
