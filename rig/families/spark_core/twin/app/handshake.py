"""A Core's side of the handshake: the keys it read once, and what becomes of an attempt (reference §6.2, §7.3)."""

from __future__ import annotations

import os
from collections.abc import Generator
from dataclasses import dataclass

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import rsa

from rig.families.spark_core.formats import flash as layout
from rig.families.spark_core.formats.core_key_der import LONGEST, CoreKeyNumbers, read_core_key
from rig.families.spark_core.formats.handshake import (
    ANSWER_SIZE,
    BLOCK_SIZE,
    CREDENTIALS_SIZE,
    NONCE_SIZE,
    SEALED_SIZE,
    Credentials,
    introduce,
    is_signed,
)
from rig.families.spark_core.formats.keys import SECTOR_BYTES, modulus_in
from rig.families.spark_core.twin.app.dialect import Dialect
from rig.families.spark_core.twin.app.protocol import Conversation
from rig.families.spark_core.twin.steps import Board
from rig.twin.steps import Step

#: What became of a handshake, and the colour that shows it.
GOOD, LOST, KEY_WRONG, SIGNATURE_WRONG = 0, -1, 1, 2
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


def shake_hands(
    board: Board, dialect: Dialect, keys: Keys, conversation: Conversation
) -> Generator[Step, bool, Credentials | int]:
    """One attempt, in the buffer that everything else is done in. Returns what it ended with."""
    channel = conversation.channel
    channel.put(NONCE_SIZE, board.uid)
    nonce = yield from conversation.receive(NONCE_SIZE)
    if nonce is None:
        return LOST
    own_key = keys.own.public_der if dialect.introduces_key else b""
    plain = nonce + board.uid + own_key
    block = os.urandom(BLOCK_SIZE) if keys.server is None else introduce(keys.server, nonce, board.uid, own_key)
    channel.put(0, plain + block)
    board.radio.send(block)
    reply = yield from conversation.receive(ANSWER_SIZE)
    if reply is None:
        return LOST
    channel.put(0, reply)
    raw = keys.own.decrypt(reply[:SEALED_SIZE])
    if raw is None or len(raw) != CREDENTIALS_SIZE:
        return KEY_WRONG
    credentials = Credentials(raw)
    if keys.server is None or not is_signed(keys.server, credentials, reply):
        return SIGNATURE_WRONG
    return credentials
