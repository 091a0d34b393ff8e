"""The dialect of the stub that esptool uploads: it erases as it writes, and acknowledges a block before it writes it.

Facts: reference/esp32.md §1.2 and §1.6.
"""

from __future__ import annotations

import hashlib
import struct
import zlib
from collections.abc import Iterator
from typing import Any

from rig.formats.esp_loader import Op, Request, StubError
from rig.twin.esp32.loader import DONE, Answer, Dialect, Loader, Refused, WayOut
from rig.twin.esp32.memory import BLOCK, SECTOR
from rig.twin.esp32.steps import Board
from rig.twin.flash import Run
from rig.twin.steps import Program

#: The stub runs from the PLL.
_APB = 80_000_000
#: Frames that are sent ahead of acknowledgements at most: what esptool asks for (§1.6), and clients' buffers are for.
MOST_AHEAD = 64


class Stub(Loader):
    """The stub's dialect."""

    dialect = Dialect(
        status_tail=b"",
        sync_value=0,
        malformed=StubError.DATA_LENGTH,
        wrong_checksum=StubError.CHECKSUM,
        unknown=StubError.UNKNOWN,
        clock=_APB,
    )

    def __init__(self, board: Board):
        super().__init__(board)
        self._downloading = False
        #: Where the next byte goes, how many may still come, and how far flash is blank for them.
        self._at = self._left = self._erased = self._end_of_erase = 0
        self._inflater: Any = None
        #: Why the last block was not written: the next request hears of it, the block was acknowledged.
        self._failed = 0
        self.handlers |= {
            Op.FLASH_BEGIN: self._begin,
            Op.FLASH_DATA: self._data,
            Op.FLASH_END: self._end,
            Op.DEFL_BEGIN: self._begin_deflated,
            Op.DEFL_DATA: self._data_deflated,
            Op.DEFL_END: self._end,
            Op.SPI_FLASH_MD5: self._md5,
            Op.ERASE_FLASH: self._erase_flash,
            Op.ERASE_REGION: self._erase_region,
            Op.READ_FLASH: self._read_flash,
            Op.RUN_USER_CODE: lambda _request: Answer(way_out=WayOut.RUN, silent=True),
        }

    # -- writing -----------------------------------------------------------------------------------------------------

    def _begin(self, request: Request) -> Answer:
        self._start(request)
        return DONE

    def _begin_deflated(self, request: Request) -> Answer:
        self._start(request)
        self._inflater = zlib.decompressobj()
        return DONE

    def _start(self, request: Request) -> None:
        """Take what both kinds of download begin with; a fifth word asks for encryption, which this chip has not."""
        size, _blocks, _block, offset, encrypted = (
            request.words(5) if len(request.data) > 16 else (*request.words(4), 0)
        )
        if offset + size > self.board.memory.size or encrypted:
            raise Refused(StubError.SPI)
        self._downloading, self._failed, self._inflater = True, 0, None
        self._at, self._left = offset, size
        self._erased, self._end_of_erase = offset - offset % SECTOR, offset + size

    def _data(self, request: Request) -> Answer:
        payload = self._acceptable(request)
        if self._inflater is not None:
            raise Refused(StubError.NOT_IN_FLASH_MODE)
        if not self._left:
            raise Refused(StubError.TOO_MUCH_DATA)
        # The last block is filled up to its size; what is too much is not written.
        return Answer(afterwards=self._write(payload[: self._left]))

    def _data_deflated(self, request: Request) -> Answer:
        payload = self._acceptable(request)
        if self._inflater is None:
            raise Refused(StubError.NOT_IN_FLASH_MODE)
        if self._inflater.eof:
            raise Refused(StubError.TOO_MUCH_DATA)
        return Answer(afterwards=self._inflate(payload))

    def _acceptable(self, request: Request) -> bytes:
        payload = self.payload(request)
        if not self._downloading:
            raise Refused(StubError.NOT_IN_FLASH_MODE)
        if self._failed:
            raise Refused(self._failed)
        return payload

    def _inflate(self, payload: bytes) -> Program:
        try:
            plain = self._inflater.decompress(payload, self._left + 1)
        except zlib.error:
            self._failed = StubError.INFLATE
            return
        if len(plain) > self._left:
            self._failed = StubError.TOO_MUCH_DATA
        yield from self._write(plain[: self._left])

    def _write(self, data: bytes) -> Program:
        yield from self.work(self._erasing(self._at + len(data)))
        yield from self.work(self.board.memory.programming(self._at, data))
        self._at += len(data)
        self._left -= len(data)

    def _erasing(self, until: int) -> Iterator[Run]:
        """Erase as far as the next bytes need it, by blocks where the download covers them."""
        while self._erased < until:
            whole = self._erased % BLOCK == 0 and self._end_of_erase - self._erased >= BLOCK
            length = BLOCK if whole else SECTOR
            yield from self.board.memory.erasing_in_blocks(self._erased, length)
            self._erased += length

    def _end(self, request: Request) -> Answer:
        (stays,) = request.words(1)
        if not self._downloading:
            raise Refused(StubError.NOT_IN_FLASH_MODE)
        if self._failed:
            raise Refused(self._failed)
        if self._left:
            raise Refused(StubError.NOT_ENOUGH_DATA)
        self._downloading = False
        return DONE if stays else Answer(way_out=WayOut.RESET)

    # -- the rest ----------------------------------------------------------------------------------------------------

    def _md5(self, request: Request) -> Answer:
        offset, size, _, _ = request.words(4)
        return Answer(body=hashlib.md5(self._contents(offset, size), usedforsecurity=False).digest())

    def _contents(self, offset: int, size: int) -> bytes:
        if offset + size > self.board.memory.size:
            raise Refused(StubError.SPI)
        return self.board.memory.flash.peek(offset, size)

    def _erase_flash(self, request: Request) -> Answer:
        request.words(0)
        return Answer(before=self.work(self.board.memory.erasing_in_blocks(0, self.board.memory.size)))

    def _erase_region(self, request: Request) -> Answer:
        offset, size = request.words(2)
        if offset % SECTOR or size % SECTOR or offset + size > self.board.memory.size:
            raise Refused(StubError.BLOCK_SIZE)
        return Answer(before=self.work(self.board.memory.erasing_in_blocks(offset, size)))

    def _read_flash(self, request: Request) -> Answer:
        offset, size, frame, window = request.words(4)
        if not 0 < frame <= SECTOR or not window:
            raise Refused(StubError.BLOCK_SIZE)
        contents = self._contents(offset, size)
        return Answer(afterwards=self._send_contents(contents, frame, min(window, MOST_AHEAD)))

    def _send_contents(self, contents: bytes, frame: int, window: int) -> Program:
        """Send frames, at most `window` of them ahead of the host's running total, then the digest of them all."""
        sent = acknowledged = 0
        while acknowledged < len(contents):
            while sent < len(contents) and sent - acknowledged < window * frame:
                self.send(contents[sent : sent + frame])
                sent = min(sent + frame, len(contents))
            answer = yield from self.next_frame()
            if len(answer) != 4:
                return
            (acknowledged,) = struct.unpack("<I", answer)
            if acknowledged > sent:
                return
        self.send(hashlib.md5(contents, usedforsecurity=False).digest())
