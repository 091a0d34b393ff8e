"""The loader in an ESP32's mask ROM, and the way from it into what was uploaded: a stub, or an application.

It erases before it takes data, and what it answers has happened (esptool's loader.py, serial-protocol.rst).
"""

from __future__ import annotations

import hashlib
import zlib
from typing import Any

from rig.families.esp32.formats.loader import GREETING, Op, Request, RomError
from rig.families.esp32.twin.flasher_stub import FlasherStub
from rig.families.esp32.twin.legacy_stub import CODE, LegacyStub
from rig.families.esp32.twin.loader import DONE, Answer, Dialect, Loader, Refused, WayOut
from rig.families.esp32.twin.ram import is_ram
from rig.families.esp32.twin.steps import Board
from rig.twin.steps import Idle, Program, Reset

SYNC_VALUE = 0x20120707
#: What READ_FLASH_SLOW answers with, however little was asked for.
SLOW_READ = 64
_XTAL = 40_000_000


def rom_loader(board: Board) -> Program:
    """Serve a host, first as the ROM and then, once one is uploaded, as a stub.

    Ends in a reset, or returns when the code in flash is to be started.
    """
    loader: Loader = RomLoader(board)
    way_out = yield from loader.run()
    while way_out is WayOut.RAM:
        if not loader.uploads.greets:
            yield from _application_in_ram(board, loader.entry)
        loader = LegacyStub(board) if loader.entry >= CODE else FlasherStub(board)
        board.event("stub")
        loader.send(GREETING)
        way_out = yield from loader.run()
    if way_out is WayOut.RESET:
        yield Reset()
    board.uart.ignore()


def _application_in_ram(board: Board, entry: int) -> Program:
    """What was uploaded is an application. Nobody runs it: it listens to nothing and says nothing until a reset."""
    board.event(f"ram:{entry:#010x}")
    board.uart.ignore()
    yield Idle()


class RomLoader(Loader):
    """The ROM's dialect."""

    attach_words = 2
    dialect = Dialect(
        sync_value=SYNC_VALUE,
        malformed=RomError.MALFORMED,
        wrong_checksum=RomError.CHECKSUM,
        unknown=RomError.MALFORMED,
        clock=_XTAL,
    )

    def __init__(self, board: Board):
        super().__init__(board)
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

    def status(self, code: int, detail: int) -> bytes:
        """Whether it failed, why, and two bytes that are always 0."""
        return bytes([1 if code else 0, code, 0, 0])

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
        return self.board.memory.flash.read(offset, size)

    # -- RAM ---------------------------------------------------------------------------------------------------------

    def _begin_ram(self, request: Request) -> Answer:
        size, _blocks, _block, address = request.words(4)
        if not size or not is_ram(address, size):
            raise Refused(RomError.FAILED)
        self.uploads.begin(address, size)
        return DONE

    def _data_ram(self, request: Request) -> Answer:
        payload = self.payload(request)
        if len(payload) > self.uploads.left:
            raise Refused(RomError.FAILED)
        self.uploads.take(payload)
        return DONE

    def _end_ram(self, request: Request) -> Answer:
        stays, entry = request.words(2)
        return DONE if stays else Answer(way_out=self.jump(entry))
