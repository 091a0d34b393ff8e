"""A Core's server in memory: it greets, sends images over the air, and is somebody else from the next handshake on.

No socket is opened; what is said is as the cloud says it (reference §6.2 to §6.5), one chunk after the other.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator
from dataclasses import dataclass
from functools import cache
from itertools import count

from cryptography.hazmat.primitives.asymmetric import rsa

from rig.errors import LabFault
from rig.families.spark_core.formats import flash as layout
from rig.families.spark_core.formats.coap import Code, Malformed, Message, Type, path
from rig.families.spark_core.formats.handshake import (
    BLOCK_SIZE,
    CREDENTIALS_SIZE,
    NONCE_SIZE,
    Credentials,
    answer,
    read_introduction,
)
from rig.families.spark_core.formats.keys import ServerRecord
from rig.families.spark_core.formats.messages import UpdateBegin, chunk_options
from rig.families.spark_core.trust.core_key import CORE_BITS, SERVER_BITS, core_key_of
from rig.families.spark_core.trust.key_scenario import NO_HELLO, OTHER_KEY
from rig.families.spark_core.trust.server_key import public_der
from rig.families.spark_core.twin.core import Core
from rig.trust.ready_keys import ready_key

CHUNK_SIZE = 512
#: More than any update takes.
MOST_STEPS = 100_000
#: What a Core has beside its server's key.
ADDRESS = "10.0.0.1"
_CREDENTIALS = Credentials(bytes(range(CREDENTIALS_SIZE)))
#: What a session does next once the message has come that it waits for.
Talk = Generator[None, Message, None]


@dataclass(frozen=True, slots=True)
class CloudIdentity:
    """Who a cloud is to a Core: its key, whose public key it keeps for the Core, and what it signs with."""

    server: rsa.RSAPrivateKey
    core: rsa.RSAPublicKey
    signer: rsa.RSAPrivateKey

    @classmethod
    def of(cls, *, server: int = 0, core: int = 0, signer: int | None = None) -> CloudIdentity:
        """By numbers of ready keys; 0 are those that a Core was shipped with."""
        keys = [ready_key(SERVER_BITS, number) for number in (server, server if signer is None else signer)]
        return cls(keys[0], ready_key(CORE_BITS, core).public_key(), keys[1])


@cache
def keys_in_flash() -> dict[int, bytes]:
    """What a Core that knows this server has in its external flash, by address."""
    return {
        layout.SERVER_KEY_ADDRESS: ServerRecord(public_der(ready_key(SERVER_BITS, 0)), ADDRESS).pack(),
        layout.CORE_KEY_ADDRESS: core_key_of(ready_key(CORE_BITS, 0)).private_der,
    }


class CloudInMemory:
    """One server for one Core, that sends `image` once; `fast` as it is offered to Cores that can.

    `identity` is who it is from the next handshake on; a session that runs goes on.
    """

    def __init__(self, image: bytes, *, fast: bool):
        self._chunks = [image[at : at + CHUNK_SIZE].ljust(CHUNK_SIZE, b"\0") for at in range(0, len(image), CHUNK_SIZE)]
        self._begin = UpdateBegin(len(image), CHUNK_SIZE, fast)
        self.identity = CloudIdentity.of()
        #: How handshakes failed, oldest first, and how often a Core said Hello.
        self.failures: list[str] = []
        self.hellos = 0
        #: Chunks that have come; whether the Core has greeted that was there after all of them.
        self.chunks_sent = 0
        self.greeted = False
        self._sent = not image
        self._orders: deque[tuple[str, bytes]] = deque()
        self._answers: deque[bytes] = deque()
        self._talk: Talk | None = None
        self._answered = self._said_hello = False

    @property
    def half_sent(self) -> bool:
        """Whether half of the image has come."""
        return self.chunks_sent >= len(self._chunks) / 2

    def update(self, core: Core) -> None:
        """From power-on until what was sent has come online. Raises LabFault where it does not."""
        core.radio.on_order = self.order
        core.power_on(core.time)
        self.run(core, lambda: self.greeted)
        if not self.greeted:
            raise LabFault(f"the update over the air did not come through in memory: {core.events[-1].name} came last")

    def run(self, core: Core, is_over: Callable[[], bool]) -> None:
        """Let a Core talk until something is over, or it does nothing more. Raises LabFault where that does not end."""
        for _ in range(MOST_STEPS):
            if is_over() or not (self.serve(core) or core.step()):
                return
        raise LabFault(f"a Core does not come to an end in memory: {core.events[-1].name} came last")

    def order(self, order: str, what: object) -> None:
        """What the Core asks of its radio; it happens when the Core is not at work."""
        self._orders.append((order, what if isinstance(what, bytes) else b""))

    def serve(self, core: Core) -> bool:
        """Do one thing that the Core has asked for; False when there is none."""
        if self._answers:
            core.network("data", self._answers.popleft(), core.time)
        elif self._orders:
            self._do(core, *self._orders.popleft())
        else:
            return False
        return True

    def _do(self, core: Core, order: str, data: bytes) -> None:
        if order == "connect":
            self._answered = self._said_hello = False
            self._talk = self._greeted_session() if self._sent else self._updating_session()
            self._sealer, self._opener, self._mids = _CREDENTIALS.sealer(), _CREDENTIALS.opener(), count(1)
            next(self._talk)
            core.network("open", b"", core.time)
            self._answers.append(bytes(NONCE_SIZE))
        elif order == "send" and self._talk is not None:
            self._hear(core, data)
        elif order in ("close", "vanish"):
            self._end()

    def _end(self) -> None:
        """The connection is over; one without a Hello was a handshake that failed."""
        if self._talk is not None and self._answered and not self._said_hello:
            self.failures.append(NO_HELLO)
        self._talk = None
        self._answers.clear()

    def _hang_up(self, core: Core) -> None:
        self._end()
        if all(order == "send" for order, _ in self._orders):  # else its next connection would be lost
            core.network("lost", b"", core.time)

    def _hear(self, core: Core, data: bytes) -> None:
        if not self._answered:
            self._introduced(core, data)
            return
        try:
            message = Message.parse(self._opener.open(data[2:]))
        except Malformed:
            self._hang_up(core)
            return
        try:
            assert self._talk is not None, "somebody talks"
            self._talk.send(message)
        except StopIteration:
            self._talk = None

    def _introduced(self, core: Core, block: bytes) -> None:
        """The Core's part of a handshake: it was made for a server's key."""
        told = read_introduction(self.identity.server, block) if len(block) == BLOCK_SIZE else None
        if told is None or told.nonce != bytes(NONCE_SIZE):
            self.failures.append(OTHER_KEY)
            self._hang_up(core)
            return
        self._answered = True
        self._answers.append(answer(self.identity.signer, self.identity.core, _CREDENTIALS))

    def _say(
        self, kind: Type, code: Code, options: tuple[tuple[int, bytes], ...] = (), payload: bytes | None = None
    ) -> int:
        mid = next(self._mids)
        token = bytes([mid & 0xFF]) if options else b""
        self._answers.append(self._sealer.seal(Message(kind, code, mid, token, options, payload).pack()))
        return mid

    # -- what is said ------------------------------------------------------------------------------------------------

    def _updating_session(self) -> Talk:
        yield from self._greet()
        yield from self._asked(path(b"u"), self._begin.pack())
        for index, chunk in enumerate(self._chunks):
            yield from self._asked(chunk_options(chunk, index if self._begin.fast else None), chunk)
            self.chunks_sent = index + 1
        self._say(Type.CON, Code.PUT, path(b"u"))
        self._sent = True
        while True:
            yield

    def _greeted_session(self) -> Talk:
        yield from self._greet()
        mid = self._say(Type.CON, Code.EMPTY)  # it is answered when the Core has done what a Hello makes it do
        while (yield).mid != mid:
            pass
        self.greeted = True

    def _greet(self) -> Talk:
        while (yield).path != b"h":
            pass
        self._said_hello, self.hellos = True, self.hellos + 1
        self._say(Type.NON, Code.POST, path(b"h"))

    def _asked(self, options: tuple[tuple[int, bytes], ...], payload: bytes) -> Talk:
        """Ask something, and wait until it is done."""
        token = bytes([self._say(Type.CON, Code.POST, options, payload) & 0xFF])
        while not ((heard := (yield)).type == Type.NON and heard.token == token and not heard.path):
            pass
