"""What the ROM's loader and the stubs have in common: frames in, requests told apart, replies out; registers and RAM.

A loader is a program of the board that ends when the host sends it away; what it says only after work is done, it says
after the board has given that work its time.
"""

from __future__ import annotations

import enum
import math
from abc import abstractmethod
from collections import deque
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

from rig.families.esp32.formats.loader import LONGEST_PACKET, Malformed, Op, Reply, Request, checksum, is_whole
from rig.families.esp32.twin.steps import Board
from rig.families.esp32.twin.uploads import Uploads
from rig.formats import slip
from rig.twin.flash import Run
from rig.twin.steps import Delay, Listen, Program, Step, Work

#: The UART's divider register: what its clock is divided by to give the rate.
UART_DIVIDER_ADDRESS = 0x3FF40014
_DIVIDER = 0xFFFFF
SYNC_REPLIES = 8
_BAUD_RATES = range(300, 5_000_001)


class WayOut(enum.Enum):
    """How a loader ends."""

    #: The chip resets, and its straps bring it back to the ROM's loader.
    RESET = "reset"
    #: The code in flash is started.
    RUN = "run"
    #: What was uploaded to RAM is started.
    RAM = "ram"


class Refused(Exception):
    """A request that fails, with the loader's code for it; the legacy stub adds a detail at times."""

    def __init__(self, code: int, detail: int = 0):
        super().__init__(f"refused with {code:#04x}")
        self.code, self.detail = code, detail


@dataclass(frozen=True, slots=True)
class Answer:
    """A reply's word and its body before the status bytes; what is done before it is sent, and what after it.

    With a `way_out` the loader ends then; `silent` is what no reply is sent to.
    """

    value: int = 0
    body: bytes = b""
    before: Program | None = None
    afterwards: Program | None = None
    way_out: WayOut | None = None
    silent: bool = False


DONE = Answer()
#: Handles one request. It may raise Refused or Malformed.
Handler = Callable[[Request], Answer]


@dataclass(frozen=True, slots=True)
class Dialect:
    """In what they differ on the wire: the word that SYNC gets, codes, and the UART's clock in Hz."""

    sync_value: int
    malformed: int
    wrong_checksum: int
    unknown: int
    clock: int


class Loader:
    """One loader at work; a dialect of it adds handlers."""

    dialect: ClassVar[Dialect]
    attach_words: ClassVar[int]

    def __init__(self, board: Board):
        self.board = board
        self.uploads = Uploads(board.chip)
        #: Where code that was uploaded begins, when that is the way out.
        self.entry = 0
        #: How large flash is, as the loader has it.
        self.flash_size = self.board.memory.flash.size
        self._decoder = slip.SlipDecoder(LONGEST_PACKET)
        self._frames: deque[bytes] = deque()
        self.handlers: dict[int, Handler] = {
            Op.SYNC: self._sync,
            Op.READ_REG: self._read_register,
            Op.WRITE_REG: self._write_registers,
            Op.SPI_ATTACH: self._attach,
            Op.SPI_SET_PARAMS: self._set_parameters,
            Op.CHANGE_BAUD: self._change_baud,
        }

    def run(self) -> Generator[Step, Any, WayOut]:
        """Answer requests until one of them is the way out."""
        self.board.uart.listen()
        while True:
            raw = yield from self.next_frame()
            try:
                request, whole = self.heard(raw)
            except Malformed:
                continue
            way_out = yield from self._answer(request, whole)
            if way_out is not None:
                return way_out

    def heard(self, raw: bytes) -> tuple[Request, bool]:
        """The request in a frame, and whether it is as long as it says. Raises Malformed for what is not answered."""
        return Request.parse(raw), is_whole(raw)

    @abstractmethod
    def status(self, code: int, detail: int) -> bytes:
        """The end of a reply: why a request failed, or zeros."""

    def next_frame(self) -> Generator[Step, Any, bytes]:
        """Wait for a frame."""
        while not self._frames:
            if data := self.board.uart.take():
                self._frames.extend(self._decoder.feed(data))
            else:
                yield Listen(math.inf)
        return self._frames.popleft()

    def send(self, payload: bytes) -> None:
        """Send a frame."""
        self.board.uart.send(slip.frame(payload))

    def reply(self, op: int, answer: Answer, code: int = 0, detail: int = 0) -> None:
        """Send a reply; a code is why it failed."""
        self.send(Reply(op, answer.value, answer.body + self.status(code, detail)).pack())

    def _answer(self, request: Request, whole: bool) -> Generator[Step, Any, WayOut | None]:
        try:
            if not whole:
                raise Malformed("a packet that is not as long as it says")
            answer = self.handle(request)
        except Malformed:
            self.reply(request.op, DONE, self.dialect.malformed)
            return None
        except Refused as refused:
            self.reply(request.op, DONE, refused.code, refused.detail)
            return None
        if answer.before is not None:
            yield from answer.before
        if not answer.silent:
            self.reply(request.op, answer)
        if answer.afterwards is not None:
            yield from answer.afterwards
        return answer.way_out

    def handle(self, request: Request) -> Answer:
        """Do what is asked. Raises Refused or Malformed."""
        handler = self.handlers.get(request.op)
        if handler is None:
            raise Refused(self.dialect.unknown)
        return handler(request)

    # -- what handlers share -----------------------------------------------------------------------------------------

    def payload(self, request: Request) -> bytes:
        """The block in a data packet. Raises Malformed, or Refused when its checksum is wrong."""
        payload = request.block()
        if checksum(payload) != request.checksum:
            raise Refused(self.dialect.wrong_checksum)
        return payload

    def work(self, runs: Iterator[Run]) -> Program:
        """Flash work, one run after the other."""
        for run in runs:
            yield Work(run)

    def jump(self, entry: int) -> WayOut:
        """Where a jump to `entry` leads: no code ends in an exception that nobody handles, and that in a reset."""
        self.entry = entry
        return WayOut.RAM if self.uploads.holds(entry) else WayOut.RESET

    def _attach(self, request: Request) -> Answer:
        """Connect the flash: the ROM's form has a word more than the stubs'."""
        request.words(self.attach_words)
        return DONE

    def _set_parameters(self, request: Request) -> Answer:
        _identity, self.flash_size, *_geometry = request.words(6)
        return DONE

    def _sync(self, request: Request) -> Answer:
        answer = Answer(self.dialect.sync_value)
        for _ in range(SYNC_REPLIES - 1):
            self.reply(request.op, answer)
        return answer

    def _read_register(self, request: Request) -> Answer:
        (address,) = request.words(1)
        return Answer(self._read_word(address))

    def _write_registers(self, request: Request) -> Answer:
        return Answer(before=self.write_words(request.words(max(4, len(request.data) // 16 * 4))))

    def write_words(self, words: tuple[int, ...]) -> Program:
        """Write registers: address, value, mask, and how long to wait before, in microseconds."""
        for at in range(0, len(words), 4):
            address, value, mask, microseconds = words[at : at + 4]
            if microseconds:
                yield Delay(microseconds / 1e6)
            kept = 0 if mask == 0xFFFFFFFF else self._read_word(address) & ~mask
            self._write_word(address, kept | value & mask)

    def _read_word(self, address: int) -> int:
        if address == UART_DIVIDER_ADDRESS:
            return round(self.dialect.clock / self.board.uart.baud)
        return self.board.chip.read(address)

    def _write_word(self, address: int, value: int) -> None:
        if address != UART_DIVIDER_ADDRESS:
            self.board.chip.write(address, value)
        elif divider := value & _DIVIDER:
            self.board.uart.baud = round(self.dialect.clock / divider)

    def _change_baud(self, request: Request) -> Answer:
        rate, _old = request.words(2)
        return self.changing_to(rate)

    def changing_to(self, rate: int) -> Answer:
        """Answer at the old rate, and then change. Raises Malformed for what is none."""
        if rate not in _BAUD_RATES:
            raise Malformed(f"a rate of {rate}")
        return Answer(afterwards=self._change_rate(rate))

    def _change_rate(self, rate: int) -> Program:
        self.board.uart.baud = rate
        yield Delay(0)
