"""A Core on its way to the cloud, and there: join, find the server, connect, shake hands, talk; for ever.

Everything blocks, as in the real firmware: while flash is written nothing is read. Before 0.4 a handshake that failed
changes nothing: the Core says what it says after a handshake, with the keys it has, passes once through its loop, and
shakes hands again on the same connection; a ping that is never answered ends that after 40 s (core-firmware
src/spark_wlan.cpp, SPARK_WLAN_Loop; device-os v0.4.4 system/src/system_task.cpp; reference §6.1, §6.2, §7.3).
"""

from __future__ import annotations

import math
from collections.abc import Generator

from rig.families.spark_core.formats import flash as layout
from rig.families.spark_core.formats.handshake import Credentials
from rig.families.spark_core.formats.keys import SECTOR_BYTES, ServerRecord
from rig.families.spark_core.twin.app.dialect import Dialect
from rig.families.spark_core.twin.app.handshake import COLOURS, GOOD, LOST, Keys, shake_hands
from rig.families.spark_core.twin.app.hang_up import HangUp
from rig.families.spark_core.twin.app.protocol import Conversation
from rig.families.spark_core.twin.steps import Board
from rig.twin.steps import Delay, Listen, Program, Step, Timer
from rig.twin.tcp import Link

PORT = 5683
DEFAULT_SERVER = "device.spark.io"
#: Modelled times: Wi-Fi join and DHCP, and the radio's own reset.
JOIN_SECONDS, RADIO_RESET_SECONDS = 5.0, 1.0
CONNECT_SECONDS = 8.0
FAILURES_UNTIL_RADIO_RESET = 2
#: How long the LED shows what went wrong.
SHOWN_SECONDS = 0.5


class CloudClient:
    """The way to the cloud from one reset to the next."""

    def __init__(self, board: Board, dialect: Dialect, conversation: Conversation):
        self._board, self._dialect, self._conversation = board, dialect, conversation
        self._keys: Keys | None = None
        self._failures_in_a_row, self._failed_at = 0, 0.0

    def stay_online(self) -> Program:
        """Be online as well as one can, until somebody asks for listening mode."""
        board, radio = self._board, self._board.radio
        self._keys = self._keys or Keys.read(board)
        failures = 0
        yield from self._join()
        while not board.listening_wanted:
            yield from self._back_off()
            if (yield from self._connect()):
                failures = 0
                yield from self._on_a_connection(self._keys)
                continue
            self._failed()
            failures += 1
            board.light("red", SHOWN_SECONDS)
            yield Timer(SHOWN_SECONDS)
            if failures >= FAILURES_UNTIL_RADIO_RESET:
                failures = 0
                radio.vanish()
                yield Delay(RADIO_RESET_SECONDS)
                yield from self._join()
        radio.vanish()

    def _join(self) -> Program:
        """Join the network; a radio that cannot blinks green until somebody resets the board."""
        board = self._board
        board.light("green", 0.1)
        while not board.radio.eeprom.joins:
            yield Listen(math.inf)
            if board.listening_wanted:
                return
        yield Delay(JOIN_SECONDS)

    def _back_off(self) -> Program:
        until = self._failed_at + self._dialect.backs_off(self._failures_in_a_row)
        while self._board.time < until and not self._board.listening_wanted:
            yield from self._conversation.wait(until - self._board.time)

    def _failed(self) -> None:
        self._failures_in_a_row, self._failed_at = self._failures_in_a_row + 1, self._board.time

    def _connect(self) -> Generator[Step, bool, bool]:
        board, radio = self._board, self._board.radio
        board.light("cyan", 0.1)
        radio.connect(server_of(board), PORT)
        until = board.time + CONNECT_SECONDS
        while radio.link is Link.CONNECTING and board.time < until and not board.listening_wanted:
            yield from self._conversation.wait(until - board.time)
        if radio.link is not Link.OPEN:
            radio.close()
        return radio.link is Link.OPEN

    def _on_a_connection(self, keys: Keys) -> Program:
        """Shake hands, as often as it takes, and talk until the connection is over."""
        board, radio = self._board, self._board.radio
        ended = GOOD
        while radio.link is not Link.CLOSED and not board.listening_wanted:
            board.light("cyan", 0.05)
            ended = yield from self._shake_hands(keys)
            board.event(f"handshake:{ended}")
            if ended != GOOD:
                board.light(COLOURS[ended], 0)
            if not (yield from self._talk(ended)):
                break
        radio.close()
        self._conversation.update.connection_is_over()
        if ended != GOOD:
            yield Timer(SHOWN_SECONDS)

    def _shake_hands(self, keys: Keys) -> Generator[Step, bool, int]:
        """Ends when the Hello is out; from 0.4 on with one pass through the loop."""
        found = yield from shake_hands(self._board, self._dialect, keys, self._conversation)
        if not isinstance(found, Credentials):
            return found
        self._conversation.start(found)
        if not self._dialect.hangs_up:
            return GOOD
        try:
            return GOOD if (yield from self._conversation.pass_once()) else LOST
        except HangUp:
            return LOST

    def _talk(self, ended: int) -> Generator[Step, bool, bool]:
        """What follows a handshake. Returns whether another one may follow on the same connection."""
        board, conversation = self._board, self._conversation
        if ended != GOOD and self._dialect.hangs_up:
            self._failed()
            return False
        self._failures_in_a_row = 0
        try:
            conversation.greet()
            going = yield from conversation.pass_once()
            if ended == GOOD and going:
                conversation.begin_user_code()
            while ended == GOOD and going and not board.listening_wanted:
                if not board.radio.received and board.radio.link is Link.OPEN:
                    yield from conversation.wait(conversation.due() - board.time)
                going = yield from conversation.pass_once()
        except HangUp:
            board.event("hang-up")
            return False
        return going and ended != GOOD


def server_of(board: Board) -> str:
    """The name or address in the record beside the server's key, else the default."""
    sector = board.memory.external.read(layout.SERVER_KEY_ADDRESS, SECTOR_BYTES)
    return ServerRecord.unpack(sector).address or DEFAULT_SERVER
