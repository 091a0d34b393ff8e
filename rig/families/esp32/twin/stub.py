"""What the stubs that are uploaded share: they acknowledge a block before they write it, and read in frames.

There are two by now: the legacy one, which esptool 3 and 4 upload, and the one that was written anew. They differ in
what they refuse and with which code, in how they erase, and in how they are left. Facts: their sources, and
esptool's loader.py, serial-protocol.rst.
"""

from __future__ import annotations

import hashlib
from abc import abstractmethod
from collections.abc import Generator
from typing import Any

from rig.families.esp32.formats.loader import LONGEST_BLOCK, Op, Request, StubError
from rig.families.esp32.twin.download import Download
from rig.families.esp32.twin.loader import DONE, Answer, Loader, Refused
from rig.families.esp32.twin.memory import SECTOR
from rig.families.esp32.twin.steps import Board
from rig.formats import slip
from rig.twin.steps import Program, Step

#: What is in a data packet before its block.
BLOCK_HEAD = 16
SYNC_LENGTH = 36


class Stub(Loader):
    """A stub; a generation of it says what it refuses."""

    attach_words = 1
    #: The longest frame it has room for.
    longest_frame = 8 + BLOCK_HEAD + LONGEST_BLOCK

    def __init__(self, board: Board):
        super().__init__(board)
        self._decoder = slip.SlipDecoder(self.longest_frame)
        self.download: Download | None = None
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
            Op.SPI_FLASH_MD5: self._md5,
            Op.ERASE_FLASH: self._erase_flash,
            Op.ERASE_REGION: self._erase_region,
            Op.READ_FLASH: self._read_flash,
        }

    def status(self, code: int, detail: int) -> bytes:
        """The code comes first, and a detail that is 0 but for a rare one."""
        return bytes([code, detail])

    def _sync(self, request: Request) -> Answer:
        if len(request.data) != SYNC_LENGTH:
            raise Refused(StubError.DATA_LENGTH)
        return super()._sync(request)

    # -- writing -----------------------------------------------------------------------------------------------------

    @abstractmethod
    def begun(self, offset: int, size: int) -> Download:
        """A download."""

    @abstractmethod
    def block(self, request: Request) -> bytes:
        """The block that a data packet brings. Raises Refused."""

    @abstractmethod
    def block_deflated(self, request: Request) -> bytes:
        """The same of a deflated stream."""

    @abstractmethod
    def note(self, code: int) -> None:
        """Remember why a block that was acknowledged could not be written."""

    @abstractmethod
    def _end(self, request: Request) -> Answer: ...

    def words_to_begin(self, request: Request) -> tuple[int, ...]:
        """Size, blocks, block size, offset. A fifth word asks for encryption, which is refused: no key is burned."""
        if len(request.data) == BLOCK_HEAD:
            return request.words(4)
        *words, encrypted = request.words(5)
        if encrypted:
            raise Refused(StubError.SPI)
        return tuple(words)

    def _begin(self, request: Request) -> Answer:
        size, _blocks, _block, offset = self.words_to_begin(request)
        self.download = self.begun(offset, size)
        return DONE

    def _begin_deflated(self, request: Request) -> Answer:
        size, _blocks, _block, offset = self.words_to_begin(request)
        self.download = self.begun(offset, size).deflated()
        return DONE

    def _data(self, request: Request) -> Answer:
        block, download = self.block(request), self._under_way()
        # The last block is filled up to its size; what is too much is not written.
        return Answer(afterwards=self._noting(download.write(block[: download.left])))

    def _data_deflated(self, request: Request) -> Answer:
        return Answer(afterwards=self._noting(self._under_way().inflate(self.block_deflated(request))))

    def _under_way(self) -> Download:
        if self.download is None:
            raise Refused(StubError.NOT_IN_FLASH_MODE)
        return self.download

    def _noting(self, work: Generator[Step, Any, int]) -> Program:
        code = yield from work
        if code:
            self.note(code)

    # -- RAM ---------------------------------------------------------------------------------------------------------

    def _begin_ram(self, request: Request) -> Answer:
        size, _blocks, _block, address = request.words(4)
        self.uploads.begin(address, size)
        return DONE

    @abstractmethod
    def _data_ram(self, request: Request) -> Answer: ...

    @abstractmethod
    def _end_ram(self, request: Request) -> Answer: ...

    # -- flash otherwise ---------------------------------------------------------------------------------------------

    def _md5(self, request: Request) -> Answer:
        offset, size, _, _ = request.words(4)
        return Answer(body=hashlib.md5(self.contents(offset, size), usedforsecurity=False).digest())

    def contents(self, offset: int, size: int) -> bytes:
        """What is in flash; the chip leaves out address bits that it has not. Raises Refused beyond what flash has."""
        if offset + size > self.flash_size:
            raise Refused(StubError.SPI)
        flash = self.board.memory.flash
        read = b""
        while len(read) < size:
            at = (offset + len(read)) % flash.size
            read += flash.read(at, min(size - len(read), flash.size - at))
        return read

    @abstractmethod
    def _erase_flash(self, request: Request) -> Answer: ...

    @abstractmethod
    def _erase_region(self, request: Request) -> Answer: ...

    def region(self, request: Request, code: int) -> tuple[int, int]:
        """Offset and size of whole sectors. Raises Refused with `code` for others."""
        offset, size = request.words(2)
        if offset % SECTOR or size % SECTOR:
            raise Refused(code)
        if offset + size > min(self.flash_size, self.board.memory.flash.size):
            raise Refused(StubError.SPI)
        return offset, size

    # -- reading in frames -------------------------------------------------------------------------------------------

    def _read_flash(self, request: Request) -> Answer:
        offset, size, frame, window = request.words(4)
        return Answer(afterwards=self.send_contents(offset, size, frame, window))

    @abstractmethod
    def send_contents(self, offset: int, size: int, frame: int, window: int) -> Program:
        """Send frames, as far ahead of the host's running totals as this generation does, then their digest."""
