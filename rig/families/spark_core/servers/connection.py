"""One TCP connection of a Core: nonce, introduction, credentials, Hello, and frames from then on.

Whoever is not through the handshake owns nothing: a Core counts as itself only once its Hello could be decrypted.
"""

from __future__ import annotations

import asyncio
import socket
from typing import Protocol

from cryptography.hazmat.primitives.asymmetric import rsa

from rig.errors import Misuse
from rig.families.spark_core.formats.cipher import LONGEST_FROM_CORE, Opener, Sealer
from rig.families.spark_core.formats.coap import Malformed, Message
from rig.families.spark_core.formats.handshake import (
    BLOCK_SIZE,
    CREDENTIALS_SIZE,
    NONCE_SIZE,
    SEALED_SIZE,
    Credentials,
    Introduction,
    answer,
)
from rig.families.spark_core.formats.messages import Hello
from rig.families.spark_core.servers.cloud_limits import DEVICES
from rig.limits import Limits
from rig.ports import format_address

#: A Core has some 10 KiB for what it has not read; an update's chunks all at once are 108 KiB.
MOST_UNREAD = 4 * DEVICES.unread
#: The reference server's, for the whole handshake; each step of it may take as long as a stranger may be idle.
HANDSHAKE_SECONDS = 120.0


class Host(Protocol):
    """What a connection needs of its cloud."""

    limits: Limits

    def read(self, block: bytes, nonce: bytes) -> Introduction | None:
        """What an introduction says; None when it was made for another key, or for another connection."""

    def signing_key(self, core_id: str) -> rsa.RSAPrivateKey:
        """The key that credentials are signed with."""

    def core_key(self, core_id: str) -> rsa.RSAPublicKey | None:
        """The key of a Core, None for a stranger. Raises Misuse."""

    def random(self, count: int) -> bytes:
        """Noise for nonces and credentials."""

    def says_nothing(self) -> bool:
        """Whether a connection that was just accepted is left in silence."""

    def connected(self, connection: Connection) -> None:
        """Somebody connected."""

    def introduced(self, connection: Connection, hello: Hello) -> Receiver | None:
        """A Core is who it says it is; returns who takes its messages, None to hang up."""

    def answered(self, core_id: str) -> None:
        """A Core was sent its credentials: it is for the Core to go on."""

    def refused(self, connection: Connection, reason: str) -> None:
        """A handshake failed."""

    def gone(self, connection: Connection) -> None:
        """The connection is over."""


class Receiver(Protocol):
    """Who takes the messages of a Core that is online."""

    def received(self, message: Message) -> None:
        """A message came."""

    def lost(self, reason: str) -> None:
        """No more will come."""


class Connection(asyncio.Protocol):
    """The server's side of one connection."""

    def __init__(self, host: Host):
        self._host = host
        self.core_id: str | None = None
        self.peer = "?"
        self.transport: asyncio.Transport | None = None
        self.last_heard = 0.0
        #: What both ends share once the Core was answered.
        self.credentials: Credentials | None = None
        self._nonce = b""
        self._buffer = bytearray()
        self._sealer: Sealer | None = None
        self._opener: Opener | None = None
        self._receiver: Receiver | None = None
        self._loop = asyncio.get_running_loop()
        self._deadlines: list[asyncio.TimerHandle] = []
        self._reason = "the Core hung up"

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Send the nonce."""
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self.last_heard = self._loop.time()
        address = transport.get_extra_info("peername")
        self.peer = format_address(*address[:2]) if address else "?"
        sock: socket.socket = transport.get_extra_info("socket")
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, DEVICES.unread)
        self._host.connected(self)
        self._deadlines = [
            self._loop.call_later(seconds, self.refuse, f"nothing for {seconds:.0f} s")
            for seconds in (self._host.limits.idle, HANDSHAKE_SECONDS)
        ]
        if not self._host.says_nothing():
            self._nonce = self._host.random(NONCE_SIZE)
            transport.write(self._nonce)

    def data_received(self, data: bytes) -> None:
        """Bytes came; what they mean depends on how far the handshake is."""
        self.last_heard = self._loop.time()
        self._buffer += data
        if self._opener is None:
            if len(self._buffer) >= BLOCK_SIZE and self._nonce:
                self._introduction(bytes(self._take(BLOCK_SIZE)))
            if self._opener is None:
                if len(self._buffer) > LONGEST_FROM_CORE:
                    self.refuse("talks before it is asked")
                return
        try:
            self._frames()
        except Malformed as error:
            self.refuse(str(error))

    def pause_writing(self) -> None:
        """The Core leaves what it is sent unread: it is not listened to until it reads."""
        if self.transport is not None:
            self.transport.pause_reading()

    def resume_writing(self) -> None:
        """It reads again."""
        if self.transport is not None and not self.transport.is_closing():
            self.transport.resume_reading()

    def connection_lost(self, error: Exception | None) -> None:
        """It is over."""
        self._cancel_deadlines()
        if error is not None:
            self._reason = f"the connection broke: {error}"
        if self._receiver is not None:
            self._receiver.lost(self._reason)
        elif self._nonce and self.core_id is not None:
            self._host.refused(self, self._reason)
        self._host.gone(self)

    def send(self, plain: bytes) -> None:
        """Send a message; without a connection it goes nowhere."""
        if self._sealer is not None and self.transport is not None and not self.transport.is_closing():
            self.transport.write(self._sealer.seal(plain))
            if self.transport.get_write_buffer_size() > MOST_UNREAD:
                self.close("it does not read what it is sent")

    def close(self, reason: str) -> None:
        """Hang up."""
        self._reason = reason
        if self.transport is not None:
            self.transport.abort()

    def refuse(self, reason: str) -> None:
        """Hang up on somebody who is nobody, or talks nonsense."""
        if self._receiver is None:
            self._host.refused(self, reason)
            self.core_id = None
        self.close(reason)

    # -- the handshake -----------------------------------------------------------------------------------------------

    def _introduction(self, block: bytes) -> None:
        introduction = self._host.read(block, self._nonce)
        if introduction is None:
            self.refuse("the introduction was made for another server's key, or for another connection")
            return
        core_id = introduction.core_id.hex()
        try:
            key = self._host.core_key(core_id)
        except Misuse as error:
            self.refuse(error.message)
            return
        if key is None:
            self.refuse(f"no key of a Core {core_id} is known")
            return
        self.core_id = core_id
        credentials = self.credentials = Credentials(self._host.random(CREDENTIALS_SIZE))
        self._sealer, self._opener = credentials.sealer(), credentials.opener()
        reply = answer(self._host.signing_key(core_id), key, credentials)
        assert len(reply) == SEALED_SIZE + BLOCK_SIZE
        assert self.transport is not None
        self.transport.write(reply)
        self._host.answered(core_id)
        self._restart_step()

    def _restart_step(self) -> None:
        self._deadlines[0].cancel()
        step = self._host.limits.idle
        self._deadlines[0] = self._loop.call_later(step, self.refuse, f"nothing for {step:.0f} s")

    def _cancel_deadlines(self) -> None:
        for deadline in self._deadlines:
            deadline.cancel()

    # -- frames ------------------------------------------------------------------------------------------------------

    def _frames(self) -> None:
        while len(self._buffer) >= 2 and self._opener is not None:
            length = int.from_bytes(self._buffer[:2], "big")
            if length > LONGEST_FROM_CORE:
                raise Malformed(f"a frame of {length} bytes: a Core sends {LONGEST_FROM_CORE} at most")
            if len(self._buffer) < 2 + length:
                return
            message = Message.parse(self._opener.open(bytes(self._take(2 + length)[2:])))
            if self._receiver is not None:
                self._receiver.received(message)
            else:
                self._hello(message)
            if self.transport is None or self.transport.is_closing():
                return

    def _hello(self, message: Message) -> None:
        hello = Hello.unpack(message)
        self._cancel_deadlines()
        self._receiver = self._host.introduced(self, hello)
        if self._receiver is None:
            self.close("closed after the handshake")

    def _take(self, count: int) -> bytearray:
        taken = self._buffer[:count]
        del self._buffer[:count]
        return taken
