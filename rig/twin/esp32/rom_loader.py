"""The loader in an ESP32's mask ROM, and the way from it into the stub.

It erases before it takes data, and what it answers has happened (reference/esp32.md §1.2, §1.3, §1.6).
"""

from __future__ import annotations

import hashlib
import zlib
from typing import Any

from rig.formats.esp_loader import GREETING, Op, Request, RomError
from rig.twin.esp32.loader import DONE, Answer, Dialect, Loader, Refused, WayOut
from rig.twin.esp32.steps import Board
from rig.twin.esp32.stub import Stub
from rig.twin.steps import Program, Reset

SYNC_VALUE = 0x20120707
#: What READ_FLASH_SLOW answers with, however little was asked for.
SLOW_READ = 64
_XTAL = 40_000_000
#: All RAM of the chip: data, instructions, and the RTC's. A bootloader leaves itself room and takes images for less.
_RAM = ((0x3FF80000, 0x3FF82000), (0x3FFAE000, 0x40000000), (0x40070000, 0x400C2000), (0x50000000, 0x50002000))
#: The last segments of what was uploaded; a stub has three.
_MOST_SEGMENTS = 16


def rom_loader(board: Board) -> Program:
    """Serve a host, first as the ROM and then, once it is uploaded, as the stub.

    Ends in a reset, or returns when the code in flash is to be started.
    """
    way_out = yield from RomLoader(board).run()
    if way_out is WayOut.RAM:
        board.event("stub")
        stub = Stub(board)
        stub.send(GREETING)
        way_out = yield from stub.run()
    if way_out is WayOut.RESET:
        yield Reset()
    board.uart.ignore()


class RomLoader(Loader):
    """The ROM's dialect. What was uploaded to RAM is taken for the stub: no code is run here."""

    dialect = Dialect(
        status_tail=b"\0\0",
        sync_value=SYNC_VALUE,
        malformed=RomError.MALFORMED,
        wrong_checksum=RomError.CHECKSUM,
        unknown=RomError.MALFORMED,
        clock=_XTAL,
    )

    def __init__(self, board: Board):
        super().__init__(board)
        self._ram = RamUpload()
        #: Where the next block of a download goes, and how many bytes may still come.
        self._at = self._room = 0
        self._inflater: Any = None
        self.handlers |= {
            Op.FLASH_BEGIN: self._begin,
            Op.FLASH_DATA: self._data,
            Op.FLASH_END: self._end,
            Op.DEFL_BEGIN: self._begin_deflated,
            Op.DEFL_DATA: self._data_deflated,
            Op.DEFL_END: self._end,
            Op.MEM_BEGIN: self._begin_ram,
            Op.MEM_DATA: self._data_ram,
            Op.MEM_END: self._end_ram,
            Op.READ_FLASH_SLOW: self._read_slowly,
            Op.SPI_FLASH_MD5: self._md5,
        }

    # -- flash -------------------------------------------------------------------------------------------------------

    def _begin(self, request: Request) -> Answer:
        erase, blocks, size, offset = request.words(4)
        self._inflater = None
        return self._erase_for(offset, erase, blocks * size)

    def _begin_deflated(self, request: Request) -> Answer:
        erase, _blocks, _size, offset = request.words(4)
        self._inflater = zlib.decompressobj()
        return self._erase_for(offset, erase, erase)

    def _erase_for(self, offset: int, erase: int, room: int) -> Answer:
        self._at, self._room = offset, 0
        if offset + erase > self.board.memory.size:
            raise Refused(RomError.FAILED)
        self._room = room
        return Answer(before=self.work(self.board.memory.erasing_in_blocks(offset, erase)) if erase else None)

    def _data(self, request: Request) -> Answer:
        payload = self.payload(request)
        if self._inflater is not None:
            raise Refused(RomError.FAILED)
        return self._write(payload)

    def _data_deflated(self, request: Request) -> Answer:
        payload = self.payload(request)
        if self._inflater is None:
            raise Refused(RomError.FAILED)
        try:
            plain = b"" if self._inflater.eof else self._inflater.decompress(payload, self._room + 1)
        except zlib.error:
            raise Refused(RomError.DEFLATE) from None
        return self._write(plain)

    def _write(self, data: bytes) -> Answer:
        if len(data) > self._room or self._at + len(data) > self.board.memory.size:
            raise Refused(RomError.FLASH_WRITE)
        runs = self.board.memory.programming(self._at, data)
        self._at += len(data)
        self._room -= len(data)
        return Answer(before=self.work(runs))

    def _end(self, request: Request) -> Answer:
        (stays,) = request.words(1)
        return Answer(way_out=WayOut.RUN if stays else WayOut.RESET)

    def _read_slowly(self, request: Request) -> Answer:
        offset, length = request.words(2)
        if length > SLOW_READ:
            raise Refused(RomError.READ_LENGTH)
        return Answer(body=self._contents(offset, length).ljust(SLOW_READ, b"\0"))

    def _md5(self, request: Request) -> Answer:
        offset, size, _, _ = request.words(4)
        digest = hashlib.md5(self._contents(offset, size), usedforsecurity=False)
        return Answer(body=digest.hexdigest().encode())

    def _contents(self, offset: int, size: int) -> bytes:
        if offset + size > self.board.memory.size:
            raise Refused(RomError.FLASH_READ)
        return self.board.memory.flash.peek(offset, size)

    # -- RAM ---------------------------------------------------------------------------------------------------------

    def _begin_ram(self, request: Request) -> Answer:
        size, _blocks, _block, offset = request.words(4)
        if not self._ram.begin(offset, size):
            raise Refused(RomError.FAILED)
        return DONE

    def _data_ram(self, request: Request) -> Answer:
        if not self._ram.take(self.payload(request)):
            raise Refused(RomError.FAILED)
        return DONE

    def _end_ram(self, request: Request) -> Answer:
        stays, entry = request.words(2)
        if stays:
            return DONE
        # A jump to where no code is ends in an exception that nobody handles, and that in a reset.
        return Answer(way_out=WayOut.RAM if self._ram.holds(entry) else WayOut.RESET)


class RamUpload:
    """How much of which stretch of RAM has come; the bytes themselves nobody runs."""

    def __init__(self) -> None:
        self._complete: list[tuple[int, int]] = []
        self._start = self._at = self._end = 0

    def begin(self, offset: int, size: int) -> bool:
        """Expect `size` bytes for `offset`; False where no RAM is."""
        if not size or not any(low <= offset and offset + size <= high for low, high in _RAM):
            return False
        self._start, self._at, self._end = offset, offset, offset + size
        return True

    def take(self, data: bytes) -> bool:
        """Take a block; False when it is more than was announced."""
        if self._at + len(data) > self._end:
            return False
        self._at += len(data)
        if self._at == self._end:
            self._complete = [*self._complete, (self._start, self._end)][-_MOST_SEGMENTS:]
        return True

    def holds(self, entry: int) -> bool:
        """Whether code for `entry` has come whole."""
        return any(start <= entry < end for start, end in self._complete)
