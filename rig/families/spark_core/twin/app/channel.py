"""What a Core's protocol code has for its connection: one buffer for everything, the session's keys, its counters.

A message is deciphered, read and answered in the same 640 bytes, and its answer is written behind it. Nothing is
cleared: whoever reads past the end of a message finds what was there before (core-communication-lib
src/spark_protocol.cpp; device-os v0.4.4 communication/src/spark_protocol.cpp). Counters and keys live as long as the
firmware runs: before the first handshake they are zero, after one that failed they are those of the session before.
"""

from __future__ import annotations

from rig.families.spark_core.formats.cipher import BLOCK, LONGEST_FROM_CORE, Opener, Sealer
from rig.families.spark_core.formats.handshake import Credentials
from rig.families.spark_core.twin.radio import Radio

BUFFER_SIZE = LONGEST_FROM_CORE
#: What is written over behind the buffer, and does no harm: an answer to the longest message, and its length.
_BEHIND = 64


class Channel:
    """Both directions of what is sealed; `buffer` is the Core's own."""

    def __init__(self, radio: Radio):
        self.buffer = bytearray(BUFFER_SIZE + _BEHIND)
        self._radio = radio
        self._key = bytes(BLOCK)
        self._sealer, self._opener = Sealer(self._key, bytes(BLOCK)), Opener(self._key, bytes(BLOCK))
        self._mid = self._token = 0

    def start(self, credentials: Credentials) -> None:
        """A handshake has succeeded: new keys, new counters."""
        self._key = credentials.raw[:BLOCK]
        self._sealer, self._opener = credentials.sealer(), credentials.opener()
        self._mid, self._token = int.from_bytes(credentials.salt[:2], "big"), credentials.salt[2]

    def next_mid(self) -> int:
        """The next of the Core's own message ids."""
        self._mid = (self._mid + 1) % 0x10000
        return self._mid

    def next_token(self) -> int:
        """The next token of its requests."""
        self._token = (self._token + 1) % 0x100
        return self._token

    def put(self, at: int, data: bytes) -> None:
        """Bytes come to lie in the buffer."""
        self.buffer[at : at + len(data)] = data

    def receive(self, sealed: bytes) -> None:
        """Decipher a frame where it lies: whole blocks, and no look at its padding."""
        self.put(0, sealed)
        if not sealed:
            self._opener = Opener(self._key, bytes(self.buffer[:BLOCK]))
            return
        whole = -(-len(sealed) // BLOCK) * BLOCK
        self.put(0, self._opener.decipher(bytes(self.buffer[:whole])))

    def say(self, plain: bytes, at: int = 0, *, length_again: bool = True) -> None:
        """Seal a message at a place of the buffer, and send it; without `length_again` behind what lies there."""
        frame = self._sealer.seal(plain)
        if not length_again:
            frame = bytes(self.buffer[at : at + 2]) + frame[2:]
        self.put(at, frame)
        self._radio.send(frame)

    # -- the message that lies in the buffer -------------------------------------------------------------------------

    @property
    def code(self) -> int:
        """What is asked for."""
        return self.buffer[1]

    @property
    def wants_answer(self) -> bool:
        """Whether it is confirmable."""
        return not self.buffer[0] & 0x30

    @property
    def mid(self) -> int:
        """Its id."""
        return self.number(2, 2)

    @property
    def token(self) -> bytes:
        """The byte taken for its token, whatever that is."""
        return bytes(self.buffer[4:5])

    @property
    def letter(self) -> bytes:
        """The byte taken for its path."""
        at = 5 + (self.buffer[0] & 0x0F)
        return bytes(self.buffer[at : at + 1])

    def number(self, at: int, size: int) -> int:
        """An unsigned number, big-endian."""
        return int.from_bytes(self.buffer[at : at + size], "big")

    def end(self, length: int) -> int:
        """Where the content of a message of `length` bytes ends, if its last byte tells its padding."""
        return length - self.buffer[length - 1]
