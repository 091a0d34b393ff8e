"""What the ROM's loader and the stub have in common: frames in, requests told apart, replies out; registers and RAM.

A loader is a program of the board that ends when the host sends it away; what it says only after work is done, it says
after the board has given that work its time.
"""

from __future__ import annotations

import enum
import math
from collections import deque
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

from rig.formats import slip
from rig.formats.esp_loader import LONGEST_PACKET, Malformed, Op, Reply, Request, checksum, is_whole
from rig.twin.esp32.steps import Board
from rig.twin.flash import Run
from rig.twin.steps import Delay, Listen, Program, Step, Work

#: The UART's divider register: what its clock is divided by to give the rate.
UART_DIVIDER_ADDRESS = 0x3FF40014
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
    """A request that fails, with the loader's code for it."""

    def __init__(self, code: int):
        super().__init__(f"refused with {code:#04x}")
        self.code = code


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
    """In what the two differ on the wire: reply ends, the word that SYNC gets, codes, and the UART's clock in Hz."""

    status_tail: bytes
    sync_value: int
    malformed: int
    wrong_checksum: int
    unknown: int
    clock: int


class Loader:
    """One loader at work; a dialect of it adds handlers."""

    dialect: ClassVar[Dialect]

    def __init__(self, board: Board):
        self.board = board
        self._decoder = slip.SlipDecoder(LONGEST_PACKET)
        self._frames: deque[bytes] = deque()
        self.handlers: dict[int, Handler] = {
            Op.SYNC: self._sync,
            Op.READ_REG: self._read_register,
            Op.WRITE_REG: self._write_registers,
            Op.SPI_ATTACH: self._accept,
            Op.SPI_SET_PARAMS: self._accept,
            Op.CHANGE_BAUD: self._change_baud,
        }

    def run(self) -> Generator[Step, Any, WayOut]:
        """Answer requests until one of them is the way out."""
        self.board.uart.listen()
        while True:
            raw = yield from self.next_frame()
            try:
                request = Request.parse(raw)
            except Malformed:
                continue
            way_out = yield from self._answer(request, is_whole(raw))
            if way_out is not None:
                return way_out

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

    def reply(self, op: int, answer: Answer, code: int = 0) -> None:
        """Send a reply; a code is why it failed."""
        status = bytes([1 if code else 0, code]) + self.dialect.status_tail
        self.send(Reply(op, answer.value, answer.body + status).pack())

    def _answer(self, request: Request, whole: bool) -> Generator[Step, Any, WayOut | None]:
        handler = self.handlers.get(request.op)
        if handler is None:
            self.reply(request.op, DONE, self.dialect.unknown)
            return None
        try:
            if not whole:
                raise Malformed("a packet that is not as long as it says")
            answer = handler(request)
        except Malformed:
            self.reply(request.op, DONE, self.dialect.malformed)
            return None
        except Refused as refused:
            self.reply(request.op, DONE, refused.code)
            return None
        if answer.before is not None:
            yield from answer.before
        if not answer.silent:
            self.reply(request.op, answer)
        if answer.afterwards is not None:
            yield from answer.afterwards
        return answer.way_out

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

    def _accept(self, _request: Request) -> Answer:
        return DONE

    def _sync(self, request: Request) -> Answer:
        answer = Answer(self.dialect.sync_value)
        for _ in range(SYNC_REPLIES - 1):
            self.reply(request.op, answer)
        return answer

    def _read_register(self, request: Request) -> Answer:
        (address,) = request.words(1)
        if address == UART_DIVIDER_ADDRESS:
            return Answer(round(self.dialect.clock / self.board.uart.baud))
        return Answer(self.board.chip.read(address))

    def _write_registers(self, request: Request) -> Answer:
        return Answer(before=self._write_words(request.words(max(4, len(request.data) // 16 * 4))))

    def _write_words(self, words: tuple[int, ...]) -> Program:
        for at in range(0, len(words), 4):
            address, value, mask, microseconds = words[at : at + 4]
            kept = 0 if mask == 0xFFFFFFFF else self.board.chip.read(address) & ~mask
            self.board.chip.write(address, kept | value & mask)
            if microseconds:
                yield Delay(microseconds / 1e6)

    def _change_baud(self, request: Request) -> Answer:
        rate, _old = request.words(2)
        if rate not in _BAUD_RATES:
            raise Malformed(f"a rate of {rate}")
        return Answer(afterwards=self._change_rate(rate))

    def _change_rate(self, rate: int) -> Program:
        self.board.uart.baud = rate
        yield Delay(0)
