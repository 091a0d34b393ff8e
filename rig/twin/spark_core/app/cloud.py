"""A Core on its way to the cloud, and there: join, find the server, connect, shake hands, talk; for ever.

Everything blocks, as in the real firmware: while flash is written nothing is read, and a handshake that failed is
tried again on the same connection until the server closes it (reference/spark-core.md §6.1, §6.2, §7.3).
"""

from __future__ import annotations

import math
import os
from collections.abc import Generator
from dataclasses import dataclass

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import rsa

from rig.formats import spark_flash as layout
from rig.formats.core_key_der import LONGEST, CoreKeyNumbers, read_core_key
from rig.formats.spark_cipher import LONGEST_FROM_CORE
from rig.formats.spark_flash import SystemFlags
from rig.formats.spark_handshake import (
    ANSWER_SIZE,
    BLOCK_SIZE,
    CREDENTIALS_SIZE,
    NONCE_SIZE,
    SEALED_SIZE,
    Credentials,
    introduce,
    is_signed,
)
from rig.formats.spark_keys import SECTOR_BYTES, ServerRecord, modulus_in
from rig.formats.spark_messages import presence
from rig.twin.spark_core.app.dialect import Dialect
from rig.twin.spark_core.app.protocol import Conversation, HangUp
from rig.twin.spark_core.app.user_code import UserCode
from rig.twin.spark_core.steps import Board
from rig.twin.steps import Delay, Listen, Program, Step, Timer
from rig.twin.tcp import Link

PORT = 5683
DEFAULT_SERVER = "device.spark.io"
#: Modelled times: Wi-Fi join and DHCP, and the radio's own reset.
JOIN_SECONDS, RADIO_RESET_SECONDS = 5.0, 1.0
CONNECT_SECONDS, BLOCKING_SECONDS = 8.0, 20.0
FAILURES_UNTIL_RADIO_RESET = 2
#: How long the LED shows what went wrong.
SHOWN_SECONDS = 0.5
PRESENCES = 3

Received = Generator[Step, bool, bytes | None]
#: What became of a handshake, and the colour that shows it.
LOST, KEY_WRONG, SIGNATURE_WRONG = -1, 1, 2
COLOURS = {LOST: "red", KEY_WRONG: "orange", SIGNATURE_WRONG: "magenta"}


@dataclass(frozen=True, slots=True)
class Keys:
    """What a Core read from its flash when it first needed it; it does not look again before a reset."""

    server: rsa.RSAPublicKey | None
    own: CoreKeyNumbers

    @classmethod
    def read(cls, board: Board) -> Keys:
        """Read both keys, without a check."""
        flash = board.memory.external
        modulus = modulus_in(flash.read(layout.SERVER_KEY_ADDRESS, SECTOR_BYTES))
        try:
            server = rsa.RSAPublicNumbers(65537, modulus).public_key()
        except (ValueError, UnsupportedAlgorithm):
            server = None  # blank flash or noise: nothing that anybody could decrypt
        return cls(server, read_core_key(flash.read(layout.CORE_KEY_ADDRESS, LONGEST)))


def stay_online(board: Board, dialect: Dialect, user: UserCode, flags: SystemFlags) -> Program:
    """Be online as well as one can, until somebody asks for listening mode."""
    keys = Keys.read(board)
    failures = 0
    yield from _join(board)
    while not board.listening_wanted:
        if (yield from _connect(board)):
            failures = 0
            yield from _on_a_connection(board, dialect, user, flags, keys)
            continue
        failures += 1
        board.light("red", SHOWN_SECONDS)
        yield Timer(SHOWN_SECONDS)
        if failures >= FAILURES_UNTIL_RADIO_RESET:
            failures = 0
            board.radio.vanish()
            yield Delay(RADIO_RESET_SECONDS)
            yield from _join(board)
    board.radio.vanish()


def server_of(board: Board) -> str:
    """The name or address in the record beside the server's key, else the default."""
    sector = board.memory.external.read(layout.SERVER_KEY_ADDRESS, SECTOR_BYTES)
    return ServerRecord.unpack(sector).address or DEFAULT_SERVER


def _join(board: Board) -> Program:
    """Join the network; a radio that cannot blinks green until somebody resets the board."""
    board.light("green", 0.1)
    while not board.radio.eeprom.joins:
        yield Listen(math.inf)
        if board.listening_wanted:
            return
    yield Delay(JOIN_SECONDS)


def _connect(board: Board) -> Generator[Step, bool, bool]:
    board.light("cyan", 0.1)
    radio = board.radio
    radio.connect(server_of(board), PORT)
    until = board.time + CONNECT_SECONDS
    while radio.link is Link.CONNECTING and board.time < until and not board.listening_wanted:
        yield Listen(until - board.time)
    if radio.link is not Link.OPEN:
        radio.close()
    return radio.link is Link.OPEN


def _on_a_connection(board: Board, dialect: Dialect, user: UserCode, flags: SystemFlags, keys: Keys) -> Program:
    """Shake hands, as often as it takes, and talk until the connection is over."""
    while board.radio.link is Link.OPEN and not board.listening_wanted:
        board.light("cyan", 0.05)
        found = yield from _shake_hands(board, dialect, keys)
        if isinstance(found, Credentials):
            yield from _talk(board, dialect, user, flags, found)
            break
        board.event(f"handshake:{found}")
        board.light(COLOURS[found], 0)
        if dialect.hangs_up:
            board.radio.close()
        yield Timer(SHOWN_SECONDS)
    board.radio.close()


def _shake_hands(board: Board, dialect: Dialect, keys: Keys) -> Generator[Step, bool, Credentials | int]:
    nonce = yield from _receive(board, NONCE_SIZE)
    if nonce is None:
        return LOST
    own_key = keys.own.public_der if dialect.introduces_key else b""
    block = os.urandom(BLOCK_SIZE) if keys.server is None else introduce(keys.server, nonce, board.uid, own_key)
    board.radio.send(block)
    reply = yield from _receive(board, ANSWER_SIZE)
    if reply is None:
        return LOST
    raw = keys.own.decrypt(reply[:SEALED_SIZE])
    if raw is None or len(raw) != CREDENTIALS_SIZE:
        return KEY_WRONG
    credentials = Credentials(raw)
    if keys.server is None or not is_signed(keys.server, credentials, reply):
        return SIGNATURE_WRONG
    return credentials


def _talk(board: Board, dialect: Dialect, user: UserCode, flags: SystemFlags, credentials: Credentials) -> Program:
    conversation = Conversation(board, dialect, user, flags, credentials)
    radio = board.radio
    for _ in range(PRESENCES):
        radio.announce(presence(board.uid))
    board.event("handshake:0")
    conversation.greet()
    try:
        while not board.listening_wanted:
            if len(radio.received) >= 2:
                yield from _frame(board, conversation)
            elif radio.link is not Link.OPEN:
                return
            elif radio.received and dialect.loses_lone_byte:
                radio.take(1)
            else:
                yield from conversation.tick()
                yield Listen(max(conversation.due() - board.time, 0))
    except HangUp:
        board.event("hang-up")


def _frame(board: Board, conversation: Conversation) -> Program:
    length = int.from_bytes(board.radio.take(2), "big")
    if length > LONGEST_FROM_CORE:
        raise HangUp
    sealed = yield from _receive(board, length)
    if sealed is None:
        raise HangUp
    yield from conversation.handle(sealed)


def _receive(board: Board, count: int) -> Received:
    """Block until so many bytes have come; None when they did not within 20 s, or the connection is over."""
    radio = board.radio
    until = board.time + BLOCKING_SECONDS
    while len(radio.received) < count:
        if radio.link is not Link.OPEN or board.time >= until:
            return None
        yield Listen(until - board.time)
    return radio.take(count)
