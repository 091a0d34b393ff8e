"""Named checks of test_mutants about a Core online: its conversation, its updates, its radio, all in memory."""

from __future__ import annotations

import math

from rig.families.spark_core.formats import flash as layout
from rig.families.spark_core.formats.coap import Code, Message, Option, Type, path
from rig.families.spark_core.formats.flash import SystemFlags
from rig.families.spark_core.formats.handshake import Credentials
from rig.families.spark_core.formats.messages import Published, UpdateBegin, chunk_options
from rig.families.spark_core.twin.app.dialect import Dialect
from rig.families.spark_core.twin.app.hang_up import HangUp
from rig.families.spark_core.twin.app.protocol import Conversation
from rig.families.spark_core.twin.app.user_code import UserCode, synthetic
from rig.families.spark_core.twin.core import Core
from rig.families.spark_core.twin.radio import Eeprom, Radio
from rig.twin.steps import Listen, Reset, Work
from rig.twin.tcp import Link
from tests.rig.families.spark_core.twin.models import ROLES, core_in_memory, shipped_memory

CREDENTIALS = Credentials(bytes(range(40)))
NEW = ROLES["new"]
SIZE, IMAGE_SIZE = 256, len(NEW)
CHUNKS = [NEW.data[at : at + SIZE].ljust(SIZE, b"\0") for at in range(0, len(NEW), SIZE)]
#: An event of the user's own.
OWN = Published("own", "x")


class Talk:
    """A Core that is through its handshake, in memory: say something, and see what it answers and does to flash."""

    def __init__(self, version: str, user: UserCode | None = None):
        self.board = Core(shipped_memory(), lambda _area: None, time_scale=0)
        self.raw: list[bytes] = []
        self.board.radio.link = Link.OPEN
        self.board.radio.on_order = lambda order, what: self.raw.append(what) if order == "send" else None
        dialect = Dialect.of(version)
        flags = SystemFlags.unpack(self.board.memory.flags16()[: dialect.flags_size])
        user = user or synthetic("x", "1", "probe", dialect)
        self.conversation = Conversation(self.board, dialect, user, flags, tells_radio=dialect.tells_radio)
        self._mid = 0
        self.was_reset = False
        self.connect()

    def connect(self) -> Message:
        """A connection, and its handshake; returns the Hello."""
        self._sealer, self._opener = CREDENTIALS.sealer(), CREDENTIALS.opener()
        self.raw.clear()
        self.conversation.start(CREDENTIALS)
        return self.said()[0]

    def do(self, program) -> None:
        """Carry a program's flash work out; where it listens nothing comes."""
        for step in program:
            if isinstance(step, Listen):
                self.board.time += step.seconds
            if isinstance(step, Work):
                run = self.board.memory.journal.number(step.run)
                self.board.memory.nor(run).perform(run, 0, run.count)
            if isinstance(step, Reset):
                self.was_reset = True
                return

    def send(self, code, options, payload=None) -> None:
        """Send a request, and let the Core act on it."""
        self._mid += 1
        self.raw.clear()
        plain = Message(Type.CON, code, self._mid, bytes([self._mid % 256]), options, payload).pack()
        self.do(self.conversation.handle(self._sealer.seal(plain)[2:]))

    def say(self, code, options, payload=None) -> list[Message]:
        """Send a request; returns what the Core said to it."""
        self.send(code, options, payload)
        return self.said()

    def said(self) -> list[Message]:
        """What was said since, decrypted."""
        told = [Message.parse(self._opener.open(frame[2:])) for frame in self.raw]
        self.raw.clear()
        return told

    def does(self, action) -> list[Message]:
        """What is said when the Core does something by itself."""
        self.raw.clear()
        action()
        return self.said()

    def call(self, name, argument: bytes | None) -> list[Message]:
        query = () if argument is None else ((int(Option.URI_QUERY), argument),)
        return self.say(Code.POST, (*path(b"f", name), *query))

    def begin(self, fast=False, size=IMAGE_SIZE, **more):
        return self.say(Code.POST, path(b"u"), UpdateBegin(size, SIZE, fast, **more).pack())

    def chunk(self, index, at=None):
        return self.say(Code.POST, chunk_options(CHUNKS[index], at), CHUNKS[index])

    def done(self):
        return self.say(Code.PUT, path(b"u"))

    def pass_time(self, seconds) -> list[Message]:
        self.raw.clear()
        self.board.time += seconds
        if self.conversation.update.resets_at <= self.board.time:
            self.do(self.conversation.wait(0))
        self.do(self.conversation.tick())
        return self.said()

    def slot(self, count) -> bytes:
        return self.board.memory.external.read(layout.OTA_ADDRESS, count * SIZE)


def hangs_up(action) -> bool:
    try:
        action()
    except HangUp:
        return True
    return False


def a_chunk_that_comes_twice_shifts_the_image(_folder):
    talk = Talk("0.2.1")
    talk.begin()
    for index in (0, 1, 1, 2):
        talk.chunk(index)
    assert talk.slot(4) == b"".join(CHUNKS[index] for index in (0, 1, 1, 2))


def update_done_is_obeyed_early(_folder):
    talk = Talk("0.2.1")
    talk.begin()
    talk.chunk(0)
    talk.done()
    assert (talk.was_reset, talk.board.dr.get(10)) == (True, layout.OTA_READY)


def a_second_update_begin_starts_at_zero(_folder):
    talk = Talk("0.2.1")
    talk.begin()
    talk.chunk(0)
    talk.begin()
    talk.chunk(1)
    assert talk.slot(2) == CHUNKS[1] + b"\xff" * SIZE


def every_hello_rewrites_the_flags(_folder):
    talk = Talk("0.2.1")
    talk.say(Code.POST, path(b"h"))
    runs = [(run.kind, run.address) for run in talk.board.memory.journal.runs]
    assert runs[:2] == [("erase", layout.FLAGS_ADDRESS), ("prog", layout.FLAGS_ADDRESS)]


def a_lost_chunk_is_asked_for_after_three_seconds(_folder):
    talk = Talk("0.2.1")
    talk.begin()
    talk.chunk(0)
    assert talk.pass_time(2.9) == []
    assert [message.payload for message in talk.pass_time(0.2)] == [b"\0\1"]


def a_slow_update_of_0_4_waits_for_ever(_folder):
    talk = Talk("0.4.4")
    talk.begin()
    talk.chunk(0)
    assert talk.pass_time(20) == []


def thirty_seconds_without_a_chunk_reset_the_core(_folder):
    talk = Talk("0.2.1")
    talk.begin()
    talk.pass_time(31)
    assert talk.was_reset


def writes_into_a_worn_cell(version) -> Talk:
    talk = Talk(version)
    talk.begin()
    talk.board.memory.worn_out[layout.OTA_ADDRESS + 100] = 1
    talk.answers = talk.chunk(0)
    return talk


def a_failing_write_is_repaired_by_0_2_1(_folder):
    talk = writes_into_a_worn_cell("0.2.1")
    assert [message.path for message in talk.answers] == [b"", b"c"], "asked for again instead of acknowledged"


def a_failing_write_is_silent_on_0_2_0(_folder):
    talk = writes_into_a_worn_cell("0.2.0")
    assert [message.code for message in talk.answers] == [Code.EMPTY, Code.CHANGED]
    assert talk.slot(1) != CHUNKS[0]


def publishing_inside_a_function_garbles_0_2_0(_folder):
    """The result's length is what the event's ciphertext left in its place."""
    talk = Talk("0.2.0")
    talk.send(Code.POST, (*path(b"f", b"echo"), (int(Option.URI_QUERY), b"x" * 30)))
    _, event, result = talk.raw
    call = 48
    assert (len(event), len(result)) == (2 + call, 18)
    assert result[:2] == event[call:], "what lies behind the message that was answered"


def four_events_go_out_in_a_second_and_no_more(_folder):
    talk = Talk("0.2.1")
    assert [talk.conversation.publish(Published("x", "y")) for _ in range(6)] == [True] * 4 + [False] * 2


def a_long_argument_makes_the_core_hang_up(_folder):
    assert hangs_up(lambda: Talk("0.2.1").call(b"echo", b"x" * 64))


def describe_is_answered_twice_by_0_4(_folder):
    answers = Talk("0.4.4").say(Code.GET, path(b"d"))
    assert len(answers) == 2
    first, second = answers
    assert (first.token, first.mid) == (second.token, 1)
    assert second.mid != 1


def online_core() -> tuple[Core, list]:
    """A Core in memory that has connected, and what it ordered of its radio."""
    board = core_in_memory()
    board.radio.eeprom = Eeprom(profiles=["lab"], mac="08:00:28:00:00:01")
    orders: list = []
    board.radio.on_order = lambda order, what: orders.append((order, what))
    board.power_on(0)
    while board.radio.link is not Link.CONNECTING:
        assert board.step()
    board.network("open", b"", board.time)
    return board, orders


def power_off_says_nothing(_folder):
    board, orders = online_core()
    board.power_off(board.time + 1)
    assert orders[-1][0] == "vanish"


def a_failed_handshake_is_tried_again_on_the_same_connection(_folder):
    board, orders = online_core()
    board.network("data", bytes(40), board.time)
    board.network("data", bytes(384), board.time)
    board.advance(board.time + 1)
    board.network("data", bytes(40), board.time)
    blocks = [what for order, what in orders if order == "send" and len(what) == 256]
    assert (len(blocks), board.radio.link) == (2, Link.OPEN)


def a_key_that_is_swapped_counts_after_a_reset_only(_folder):
    board, orders = online_core()
    run = board.memory.external.erasing(layout.SERVER_KEY_ADDRESS)
    board.memory.external.perform(run, 0, 1)
    footprint = board.memory.trace()
    board.network("lost", b"", board.time)
    board.advance(board.time + 10)
    board.network("open", b"", board.time)
    board.network("data", bytes(40), board.time)
    sector = layout.CORE_KEY_ADDRESS // layout.EXTERNAL_SECTOR
    assert orders[-1][0] == "send"
    asked = [question for question in footprint.questions if question.part == 1]
    assert not any(question.first <= sector < question.last for question in asked), "read once, at the start"


def the_console_is_there_in_listening_mode_only(_folder):
    board, _ = online_core()
    assert not board.console.open
    board.radio.wipe_profiles()
    board.power_off(board.time)
    board.power_on(board.time + 1)
    board.advance(board.time + 5)
    assert board.console.open


def a_core_without_a_network_waits_for_one(_folder):
    board = core_in_memory()
    board.radio = Radio(Eeprom(profiles=["lab"], mac=None))
    board.power_on(0)
    board.advance(60)
    assert (board.radio.link, board.due()) == (Link.CLOSED, math.inf)
