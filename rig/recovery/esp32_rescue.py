"""How an ESP32 is brought back: its rungs, what shows that it lives, and the known state every trial starts from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from hashlib import md5
from typing import ClassVar

from rig.boards.boot_log import ALIVE, LOOPS, RUNS
from rig.boards.esp32 import Esp32
from rig.boards.golden import GoldenSet
from rig.errors import DeviceFault
from rig.firmware.manifest import Image
from rig.formats.otadata import Record, State, read_records
from rig.formats.partition_table import PartitionTable
from rig.recovery.rung import Rung


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
        board = self._board
        until = board.clock.now() + seconds
        while True:
            sign = board.observe(max(until - board.clock.now(), 0.0))
            if sign != RUNS:
                return sign
            began = board.log.last_start()
            board.clock.sleep(board.timing.settles)
            if board.log.last_start().startswith(began):
                return sign
            if board.clock.now() >= until:
                return board.log.sign()

    def running(self, longest: int) -> bytes | None:
        """The beginning of the partition that the last start loaded; None where nobody can tell."""
        board = self._board
        loaded = board.log.loaded()
        if loaded is None or not board.has_boot:
            return None
        board.enter_reader()
        return board.read_flash([(loaded, longest)])[loaded]

    def _reflash(self) -> None:
        self._board.enter_reader()
        self._board.flash(self._golden)
        self._board.start()


def golden_set(roles: Mapping[str, Image]) -> GoldenSet:
    """What the roles make of a board: second stage, table, and the old image where the table begins to boot."""
    table = PartitionTable.parse(roles["table"].data)
    return GoldenSet(roles["bootloader"].data, table, roles["old"].data, roles["old"].data)


def make_esp32_known(board: Esp32, roles: Mapping[str, Image]) -> None:
    """The golden set, started once so that otadata says what runs, and download mode. Raises DeviceFault, LabFault."""
    golden = golden_set(roles)
    board.enter_reader()
    if not _is_known(board, golden):
        board.flash(golden)
        board.start()
        if board.bridge_vanishes:  # its first words are lost; what it writes to otadata is not
            board.clock.sleep(board.timing.start)
        elif not board.is_alive(board.timing.start):
            raise DeviceFault(f"{roles['old'].name} was written but does not run", board=board.name)
        board.enter_reader()
        if not _is_known(board, golden):
            raise DeviceFault(
                "the golden set was written and ran, but flash is not what it should be", board=board.name
            )
    board.known = True


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
