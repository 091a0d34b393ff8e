"""The stub that was written anew: what esptool 5.3 and later and esptool-js 0.6 and later upload.

It takes packets apart strictly, tells a failed write to whatever is asked next, leaves sectors alone that are blank,
has one frame of a read under way whatever window is asked for, and neither restarts the chip nor starts what is in
flash.

Facts: espressif/esp-flasher-stub 1.1.0, command_handler.c, commands.h, transport.c.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

from rig.families.esp32.formats.loader import Op, Request, StubError, checksum
from rig.families.esp32.twin.download import Download, Outcome
from rig.families.esp32.twin.loader import DONE, Answer, Dialect, Refused
from rig.families.esp32.twin.memory import SECTOR
from rig.families.esp32.twin.steps import Board
from rig.families.esp32.twin.stub import BLOCK_HEAD, Stub
from rig.twin.flash import Run
from rig.twin.steps import Idle, Program, Work

#: Operations that plugins may add, and that nobody has without them.
PLUGINS = range(0xD5, 0xF0)
_TOTAL = 4


class FlasherDownload(Download):
    """It looks at flash before it erases, until it has met a sector that is not blank."""

    _dirty = _started = False

    def needs_erasing(self, until: int) -> bool:
        """Up to the next byte and no further."""
        return self.erased < until

    def erase_next(self) -> Iterator[Run]:
        """Erase the next sector or block, or pass over a blank sector."""
        if self.erased >= self.end:
            return
        if not self._dirty and self.memory.flash.read(self.erased, SECTOR) == b"\xff" * SECTOR:
            self.erased += SECTOR
            return
        self._dirty = True
        yield from super().erase_next()

    def inflate(self, packed: bytes) -> Outcome:
        """Inflate and write."""
        yield from self._start()
        return (yield from super().inflate(packed))

    def write(self, data: bytes) -> Outcome:
        """One that goes on behind what it erases waits for ever."""
        yield from self._start()
        if self.at + len(data) > self.end:
            yield Idle()
        return (yield from super().write(data))

    def _start(self) -> Program:
        """Something is erased from the beginning on: it does not keep the first block's acknowledgement waiting."""
        if not self._started:
            self._started = True
            for run in self.erase_next():
                yield Work(run)


class FlasherStub(Stub):
    """Its dialect."""

    dialect = Dialect(
        sync_value=0,
        malformed=StubError.DATA_LENGTH,
        wrong_checksum=StubError.CHECKSUM,
        unknown=StubError.INVALID,
        clock=80_000_000,
    )

    def __init__(self, board: Board):
        super().__init__(board)
        self._failed = 0
        self.handlers[Op.RUN_USER_CODE] = lambda _request: Answer(silent=True)
        for op in (Op.GET_SECURITY_INFO, *PLUGINS):
            self.handlers[op] = self._lack

    def heard(self, raw: bytes) -> tuple[Request, bool]:
        """What is no request is refused too."""
        if len(raw) >= 8 and raw[0] != 0:
            self.reply(raw[1], DONE, StubError.INVALID)
        return super().heard(raw)

    def handle(self, request: Request) -> Answer:
        """Do what is asked, unless a write before it failed: then that is told, once."""
        failed, self._failed = self._failed, 0
        if failed:
            raise Refused(failed)
        return super().handle(request)

    def _lack(self, _request: Request) -> Answer:
        raise Refused(StubError.UNKNOWN)

    # -- writing -----------------------------------------------------------------------------------------------------

    def begun(self, offset: int, size: int) -> Download:
        """A download."""
        return FlasherDownload(self.board.memory, offset, size, self.flash_size)

    def block(self, request: Request) -> bytes:
        """The block."""
        block = self._body(request, StubError.NOT_ENOUGH_DATA)
        self._under_way()
        if int.from_bytes(request.data[:4], "little") != len(block):
            raise Refused(StubError.TOO_MUCH_DATA)
        return self._unharmed(block, request)

    def block_deflated(self, request: Request) -> bytes:
        """The block, as long as its head says."""
        block = self._body(request, StubError.DATA_LENGTH)
        self._under_way()
        return self._unharmed(block[: int.from_bytes(request.data[:4], "little")], request)

    def _body(self, request: Request, code: int) -> bytes:
        if len(request.data) < BLOCK_HEAD:
            raise Refused(code)
        return request.data[BLOCK_HEAD:]

    def _unharmed(self, block: bytes, request: Request) -> bytes:
        if checksum(block) != request.checksum:
            raise Refused(StubError.CHECKSUM)
        return block

    def note(self, code: int) -> None:
        """Whatever is asked next hears of it."""
        self._failed = code

    def _end(self, request: Request) -> Answer:
        request.words(1)
        if self._under_way().left:
            raise Refused(StubError.DATA_LENGTH)
        self.download = None
        return DONE

    # -- RAM ---------------------------------------------------------------------------------------------------------

    def _data_ram(self, request: Request) -> Answer:
        block = self._body(request, StubError.NOT_ENOUGH_DATA)
        if not self.uploads.under_way:
            raise Refused(StubError.NOT_IN_FLASH_MODE)
        stated = int.from_bytes(request.data[:4], "little")
        if stated > self.uploads.left or stated != len(block):
            raise Refused(StubError.TOO_MUCH_DATA)
        self.uploads.take(block)
        return DONE

    def _end_ram(self, request: Request) -> Answer:
        stays, entry = request.words(2)
        if not self.uploads.under_way:
            raise Refused(StubError.NOT_IN_FLASH_MODE)
        self.uploads.end()
        return DONE if stays else Answer(way_out=self.jump(entry))

    # -- the rest ----------------------------------------------------------------------------------------------------

    def _write_registers(self, request: Request) -> Answer:
        if not request.data or len(request.data) % 16:
            raise Refused(StubError.NOT_ENOUGH_DATA)
        return super()._write_registers(request)

    def _erase_flash(self, _request: Request) -> Answer:
        return Answer(before=self.work(self.board.memory.erasing_in_blocks(0, self.board.memory.flash.size)))

    def _erase_region(self, request: Request) -> Answer:
        offset, size = self.region(request, StubError.DATA_LENGTH)
        return Answer(before=self.work(self.board.memory.erasing_in_blocks(offset, size)))

    def send_contents(self, offset: int, size: int, frame: int, _window: int) -> Program:
        """The next frame goes when the last one has been acknowledged."""
        if frame > SECTOR:
            self.note(StubError.DATA_LENGTH)
            return
        sent = acknowledged = 0
        digest = hashlib.md5(usedforsecurity=False)
        while sent < size or acknowledged < size:
            if sent < size:
                try:
                    contents = self.contents(offset + sent, min(frame, size - sent))
                except Refused as refused:
                    self.note(refused.code)
                    return
                self.send(contents)
                digest.update(contents)
                sent += len(contents)
            answer = yield from self.next_frame()
            if len(answer) != _TOTAL:
                break
            acknowledged = int.from_bytes(answer, "little")
        self.send(digest.digest())
