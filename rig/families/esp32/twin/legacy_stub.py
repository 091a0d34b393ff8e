"""The legacy stub: what esptool 3 and 4 upload, and others that took it from there.

Most refusals of an operation with words are the code 1, whatever was wrong: it ORs the reasons. It believes the length
in a packet's head, keeps the first failure of a download until the next begins, and counts the window of a read in
bytes, so that one frame of 4096 is under way at a time though 64 are asked for.

Facts: espressif/esptool-legacy-flasher-stub, stub_flasher.c, stub_commands.c, stub_write_flash.c.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator

from rig.families.esp32.formats.loader import LONGEST_BLOCK, Malformed, Op, Request, StubError, checksum
from rig.families.esp32.twin.download import Download, Outcome
from rig.families.esp32.twin.loader import DONE, Answer, Dialect, Handler, Refused, WayOut
from rig.families.esp32.twin.memory import BLOCK, SECTOR
from rig.families.esp32.twin.steps import Board
from rig.families.esp32.twin.stub import BLOCK_HEAD, Stub
from rig.twin.flash import Run
from rig.twin.steps import Idle, Program

#: It is linked to here; the other stub is not.
CODE = 0x400BE000
#: What reasons that are ORed come to.
SOME_REASON = 1
#: The detail of a packet that is longer than the longest block.
TOO_LONG = 0xEE
#: A deflated stream may end in a block of its own: its checksum.
_ADLER = 4
_TOTAL = 4
#: It would send all of flash ahead if it were told to, and then stand at the UART; nobody asks for so much.
MOST_AHEAD = 0x4000


class LegacyDownload(Download):
    """It erases the sector behind a block that ends with one, if that is the download's too."""

    def needs_erasing(self, until: int) -> bool:
        """Up to the sector in which the next byte would be."""
        return self.erased < self.end and self.erased // SECTOR <= until // SECTOR

    @property
    def takes_more(self) -> bool:
        """What comes when all is written is not looked at."""
        return self.left > 0

    def inflate(self, packed: bytes) -> Outcome:
        """Inflate and write; a stream that ends early or goes on too long is told of."""
        if not self.left:
            return StubError.TOO_MUCH_DATA if len(packed) > _ADLER else 0
        code = yield from super().inflate(packed)
        return StubError.NOT_ENOUGH_DATA if not code and self.inflated and self.left else code

    def write_inflated(self, data: bytes) -> Outcome:
        """No more than was announced."""
        return self.write(data[: self.left])


class LegacyStub(Stub):
    """The legacy stub's dialect."""

    dialect = Dialect(
        sync_value=0,
        malformed=StubError.DATA_LENGTH,
        wrong_checksum=StubError.CHECKSUM,
        unknown=StubError.UNKNOWN,
        clock=40_000_000,
    )
    longest_frame = LONGEST_BLOCK + 64

    def __init__(self, board: Board):
        super().__init__(board)
        self._failed = 0
        for op in (
            Op.SPI_ATTACH, Op.SPI_SET_PARAMS, Op.MEM_BEGIN, Op.MEM_END, Op.SPI_FLASH_MD5, Op.ERASE_FLASH,
            Op.ERASE_REGION,
        ):  # fmt: skip
            self.handlers[op] = _for_some_reason(self.handlers[op])
        self.handlers[Op.RUN_USER_CODE] = lambda _request: Answer(way_out=WayOut.RUN, silent=True)

    def heard(self, raw: bytes) -> tuple[Request, bool]:
        """The length in the head counts, whatever came; what did not come is taken for zeros."""
        if len(raw) < 8:
            raise Malformed(f"{raw.hex()} is no packet")
        length = int.from_bytes(raw[2:4], "little")
        data = raw[8 : 8 + length].ljust(min(length, LONGEST_BLOCK + BLOCK_HEAD + 1), b"\0")
        return Request(raw[1], data, int.from_bytes(raw[4:8], "little")), True

    def handle(self, request: Request) -> Answer:
        """Do what is asked, unless the packet is too long for it."""
        if len(request.data) > LONGEST_BLOCK + BLOCK_HEAD:
            raise Refused(StubError.DATA_LENGTH, TOO_LONG)
        return super().handle(request)

    # -- writing -----------------------------------------------------------------------------------------------------

    def words_to_begin(self, request: Request) -> tuple[int, ...]:
        """A block that it has no room for is refused at once."""
        words = super().words_to_begin(request)
        if words[2] > LONGEST_BLOCK:
            raise Refused(StubError.BLOCK_SIZE)
        return words

    def begun(self, offset: int, size: int) -> Download:
        """A download; what failed before is forgotten."""
        self._failed = 0
        return LegacyDownload(self.board.memory, offset, size, self.flash_size)

    def block(self, request: Request) -> bytes:
        """The block; a wrong checksum is told before a wrong length, and that before what failed earlier."""
        self._under_way()
        block = request.data[BLOCK_HEAD:]
        if checksum(block) != request.checksum:
            raise Refused(StubError.CHECKSUM)
        if int.from_bytes(request.data[:4], "little") != len(block):
            raise Refused(StubError.DATA_LENGTH)
        if self._failed:
            raise Refused(self._failed)
        return block

    def block_deflated(self, request: Request) -> bytes:
        """The same."""
        return self.block(request)

    def note(self, code: int) -> None:
        """Every block and the end hear of it."""
        self._failed = code

    def _end(self, request: Request) -> Answer:
        if self._under_way().left > 0:
            raise Refused(StubError.NOT_ENOUGH_DATA)
        self.download = None
        if self._failed:
            raise Refused(self._failed)
        return Answer(way_out=WayOut.RESET) if not any(request.data[:4]) else DONE

    # -- RAM ---------------------------------------------------------------------------------------------------------

    def _data_ram(self, request: Request) -> Answer:
        block = request.data[BLOCK_HEAD:]
        if not self.uploads.under_way and block:
            raise Refused(StubError.NOT_IN_FLASH_MODE)
        if len(block) > self.uploads.left:
            raise Refused(StubError.TOO_MUCH_DATA)
        if len(block) % 4:
            raise Refused(StubError.DATA_LENGTH)
        self.uploads.take(block)
        return DONE

    def _end_ram(self, request: Request) -> Answer:
        _stays, entry = request.words(2)
        left = self.uploads.left
        self.uploads.end()
        if left:
            raise Refused(StubError.NOT_ENOUGH_DATA)
        return Answer(way_out=self.jump(entry)) if entry else DONE

    # -- the rest ----------------------------------------------------------------------------------------------------

    def _write_registers(self, request: Request) -> Answer:
        """As many writes as there are, none too."""
        return Answer(before=self.write_words(request.words(len(request.data) // 16 * 4)))

    def _change_baud(self, request: Request) -> Answer:
        """The new rate comes of the old one as the host has it."""
        rate, former = request.words(2)
        return self.changing_to(round(rate * self.board.uart.baud / former) if former else 0)

    def _erase_flash(self, request: Request) -> Answer:
        request.words(0)
        return Answer(before=self.work(self.board.memory.erasing_in_blocks(0, self.board.memory.flash.size)))

    def _erase_region(self, request: Request) -> Answer:
        return Answer(before=self.work(self._erasing(*self.region(request, SOME_REASON))))

    def _erasing(self, at: int, size: int) -> Iterator[Run]:
        """The last 64 KiB are always erased by sectors."""
        memory, end = self.board.memory, at + size
        until = max(at, (end - 1) // BLOCK * BLOCK if end > at else at)
        yield from memory.erasing_in_blocks(at, until - at)
        yield from memory.erasing(until, end - until)

    def send_contents(self, offset: int, size: int, frame: int, window: int) -> Program:
        """One that asks for frames it has no room for is never answered again."""
        if not 0 < frame <= SECTOR:
            yield Idle()
        window = min(window, MOST_AHEAD)
        sent, acknowledged, digest = 0, 0, hashlib.md5(usedforsecurity=False)
        while acknowledged < size and acknowledged <= sent:
            while sent < size and sent - acknowledged < window:
                length = min(frame, size - sent)
                if offset + sent + length > self.flash_size:
                    break
                contents = self.contents(offset + sent, length)
                self.send(contents)
                digest.update(contents)
                sent += length
            answer = yield from self.next_frame()
            if len(answer) < _TOTAL:
                break
            acknowledged = int.from_bytes(answer[:_TOTAL], "little")
        self.send(digest.digest())


def _for_some_reason(handler: Handler) -> Callable[[Request], Answer]:
    """The same handler, whose refusals all look alike."""

    def alike(request: Request) -> Answer:
        try:
            return handler(request)
        except (Malformed, Refused):
            raise Refused(SOME_REASON) from None

    return alike
