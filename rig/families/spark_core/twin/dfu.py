"""The bootloader's DFU: errors never reported, medium by address, work done after GETSTATUS (reference §4, Appendix D).

Recorded from the genuine bootloader in vectors/dfu, which every answer here must match byte for byte.
"""

from __future__ import annotations

from dataclasses import dataclass

from rig.families.spark_core.formats import flash as layout
from rig.families.spark_core.formats.core_id import usb_serial
from rig.families.spark_core.formats.flash import SystemFlags
from rig.families.spark_core.twin.flags import save
from rig.families.spark_core.twin.steps import Board
from rig.families.spark_core.twin.usb_function import UsbFunction
from rig.formats import dfuse
from rig.formats.usb import Setup, string_descriptor
from rig.twin.flash import Nor
from rig.twin.steps import Program, Reset, Timer, Work

TRANSFER_SIZE = 1024
COMMAND_LIST = bytes([dfuse.COMMAND_GET, dfuse.COMMAND_SET_POINTER, dfuse.COMMAND_ERASE])
#: Poll times in ms: (erase, everything else) by medium; `None` is an address in no medium.
POLL_INTERNAL, POLL_EXTERNAL = (50, 50), (20, 30)
MEDIUM_MASK = 0xFC00_0000
#: bState after an UPLOAD of block 1: the genuine code stores a status code there (D3).
STATE_AFTER_BLOCK_ONE = dfuse.STATUS_ERR_STALLED


@dataclass(frozen=True, slots=True)
class DfuManner:
    """What one bootloader's DFU does otherwise than another's; as it stands, that of generations A and B."""

    #: As its manufacturer string has it, padded to 18 characters.
    maker: str = "Spark Devices"
    #: Each internal erase and write forgets an error of the flash controller, so that none ever lasts (generation C).
    clears_errors: bool = False
    #: It answers the way out as if nothing were to come, and resets so many seconds later (None: at once).
    leaves_after: float | None = None


PLAIN = DfuManner()


class DfuFunction(UsbFunction):
    """1D50:607F with two alternate settings that select nothing."""

    highest_alternate, highest_interface = 3, 2

    def __init__(self, board: Board, flags: SystemFlags, manner: DfuManner = PLAIN):
        super().__init__()
        self.device_descriptor = bytearray.fromhex("1201000100000040501d7f60000201020301")
        self.configuration_descriptor = bytearray.fromhex(
            "09022400010100c032 0904000000fe010204 0904000100fe010205 09210bff0000041a01"
        )
        self.strings = [
            bytearray.fromhex("04030904"),
            bytearray(string_descriptor(f"{manner.maker:18}")),
            bytearray(string_descriptor("CORE DFU ")),
            bytearray(string_descriptor(usb_serial(board.uid))),
            bytearray(string_descriptor("@Internal Flash  /0x08000000/20*001Ka,108*001Kg\0")),
            bytearray(string_descriptor("@SPI Flash : SST25x/0x00000000/512*04Kg" + "\0" * 9)),
        ]
        self._board = board
        self._flags = flags
        self._manner = manner
        self._state = dfuse.ERROR
        self._status = dfuse.STATUS_ERR_FIRMWARE
        self._pointer = layout.APP_ADDRESS
        self._block = 0
        self._data = b""

    def class_request(self, setup: Setup, data: bytes) -> bytes | None:
        """The DFU requests; None stalls. A wrong state stalls most of them and changes nothing."""
        if not setup.length:
            return self._without_data(setup)
        match setup.request:
            case dfuse.DNLOAD if not setup.device_to_host and self._state in (dfuse.IDLE, dfuse.DNLOAD_IDLE):
                if setup.length > TRANSFER_SIZE:
                    return None
                self._state, self._block, self._data = dfuse.DNLOAD_SYNC, setup.value, data
                return b""
            case dfuse.UPLOAD if self._state in (dfuse.IDLE, dfuse.UPLOAD_IDLE):
                return self._upload(setup.value, setup.length)
            case dfuse.GETSTATUS:
                return self._get_status()
            case dfuse.GETSTATE:
                return bytes([self._state])
        return None

    def _without_data(self, setup: Setup) -> bytes | None:
        match setup.request:
            case dfuse.DNLOAD if self._state in (dfuse.IDLE, dfuse.DNLOAD_IDLE):
                self._state = dfuse.MANIFEST_SYNC
            case dfuse.UPLOAD:
                self._state = dfuse.IDLE
            case dfuse.CLRSTATUS if self._state == dfuse.ERROR:
                self._state, self._status = dfuse.IDLE, dfuse.STATUS_OK
            case dfuse.CLRSTATUS:
                self._state, self._status = dfuse.ERROR, dfuse.STATUS_ERR_UNKNOWN
            case dfuse.ABORT:
                if dfuse.IDLE <= self._state <= dfuse.UPLOAD_IDLE:
                    self._state, self._status, self._data, self._block = dfuse.IDLE, dfuse.STATUS_OK, b"", 0
            case _:
                return None
        return b""

    def _upload(self, block: int, length: int) -> bytes | None:
        if block == 0:
            self._state = dfuse.IDLE if length > len(COMMAND_LIST) else dfuse.UPLOAD_IDLE
            return COMMAND_LIST
        if block < dfuse.FIRST_DATA_BLOCK:
            self._state = STATE_AFTER_BLOCK_ONE
            return None
        if length > TRANSFER_SIZE:
            return None
        self._state = dfuse.UPLOAD_IDLE
        return self._read(self._address(block), length)

    def _get_status(self) -> bytes:
        poll = 0
        if self._state == dfuse.DNLOAD_SYNC:
            if self._data:
                self._state, poll = dfuse.DNBUSY, self._poll_ms()
            else:
                self._state = dfuse.DNLOAD_IDLE
        elif self._state == dfuse.MANIFEST_SYNC:
            self._state = dfuse.MANIFEST
            if self._manner.leaves_after is not None:
                return dfuse.Status(self._status, 0, dfuse.DNLOAD_IDLE).pack()
            poll = 1
        return dfuse.Status(self._status, poll, self._state).pack()

    def _poll_ms(self) -> int:
        erasing = self._block == 0 and self._data[0] == dfuse.COMMAND_ERASE
        erase, other = POLL_EXTERNAL if self._pointer & MEDIUM_MASK == 0 else POLL_INTERNAL
        return erase if erasing else other

    def status_stage(self) -> Program | None:
        """The work of a download, done when its GETSTATUS has been answered; or the way out."""
        if self._state == dfuse.DNBUSY:
            return self._carry_out()
        if self._state == dfuse.MANIFEST:
            return self._leave()
        return None

    def _carry_out(self) -> Program:
        block, data = self._block, self._data
        if block == 0 and len(data) == 5 and data[0] in (dfuse.COMMAND_SET_POINTER, dfuse.COMMAND_ERASE):
            self._pointer = int.from_bytes(data[1:], "little")
            if data[0] == dfuse.COMMAND_ERASE:
                yield from self._erase(self._pointer)
        elif block >= dfuse.FIRST_DATA_BLOCK:
            yield from self._write(self._address(block), data)
        self._data, self._block = b"", 0
        self._state = dfuse.DNLOAD_SYNC

    def _leave(self) -> Program:
        self._state = dfuse.MANIFEST_WAIT_RESET
        if self._manner.leaves_after is not None:
            yield Timer(self._manner.leaves_after)
        self._flags.ota = layout.OTA_RUN
        yield from save(self._board, self._flags)
        self._board.dr[10] = layout.OTA_RUN
        self._board.detach()
        yield Reset()

    def _address(self, block: int) -> int:
        return self._pointer + (block - dfuse.FIRST_DATA_BLOCK) * TRANSFER_SIZE

    def _medium(self, address: int) -> Nor | None:
        memory = self._board.memory
        if address & MEDIUM_MASK == layout.INTERNAL_BASE:
            return memory.internal
        return memory.external if address & MEDIUM_MASK == 0 else None

    def _read(self, address: int, length: int) -> bytes:
        medium = self._medium(address)
        if medium is None:
            medium, address = self._board.memory.internal, layout.INTERNAL_BASE
        return medium.read(address, length).ljust(length, b"\xff") if address in medium else b"\xff" * length

    def _forget_error(self, medium: Nor) -> None:
        if self._manner.clears_errors:
            medium.error = False

    def _is_locked(self, address: int) -> bool:
        """Whether option bytes protect the page: the controller then sets an error flag, and nothing else happens."""
        return self._board.locked and layout.INTERNAL_BASE <= address < layout.INTERNAL_BASE + layout.BOOTLOADER_SIZE

    def _erase(self, address: int) -> Program:
        medium = self._medium(address)
        if medium is None or address not in medium:
            return
        self._forget_error(medium)
        if medium.error:
            return
        if self._is_locked(address):
            medium.error = True
            return
        yield Work(medium.erasing(address))

    def _write(self, address: int, data: bytes) -> Program:
        medium = self._medium(address)
        if medium is None or address not in medium or address + len(data) not in range(medium.base + medium.size + 1):
            return
        if medium is self._board.memory.internal:
            self._forget_error(medium)
            if self._is_locked(address):
                medium.error = True
            if not medium.error:
                yield Work(medium.programming(address, data + b"\xff" * (-len(data) % 4)))
            return
        # AAI wants an even address and whole pairs; single bytes do the ends (reference §2.4).
        if address % 2:
            yield Work(medium.byte(address, data[:1]))
            address, data = address + 1, data[1:]
        pairs = len(data) // 2 * 2
        yield Work(medium.programming(address, data[:pairs]))
        yield Work(medium.byte(address + pairs, data[pairs:]))
