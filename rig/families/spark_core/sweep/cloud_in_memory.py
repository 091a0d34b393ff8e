"""A Core's server in memory: it greets, sends one image over the air, and greets again what has started then.

No socket is opened; what is said is as the cloud says it (reference §6.2 to §6.5), one chunk after the other.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Generator
from functools import cache
from itertools import count

from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from rig.errors import LabFault
from rig.families.spark_core.formats import flash as layout
from rig.families.spark_core.formats.coap import Code, Message, Type, path
from rig.families.spark_core.formats.handshake import BLOCK_SIZE, CREDENTIALS_SIZE, NONCE_SIZE, Credentials, answer
from rig.families.spark_core.formats.keys import ServerRecord
from rig.families.spark_core.formats.messages import UpdateBegin, chunk_options
from rig.families.spark_core.trust.core_key import make_core_key
from rig.families.spark_core.trust.server_key import make_server_key, public_der
from rig.families.spark_core.twin.core import Core

CHUNK_SIZE = 512
#: More than any update takes.
MOST_STEPS = 100_000
_CREDENTIALS = Credentials(bytes(range(CREDENTIALS_SIZE)))
#: What a session does next once the message has come that it waits for.
Talk = Generator[None, Message, None]


@cache
def _server_key() -> rsa.RSAPrivateKey:
    return make_server_key()


@cache
def _core_key() -> tuple[bytes, rsa.RSAPublicKey]:
    made = make_core_key()
    public = load_pem_public_key(made.public_pem.encode())
    assert isinstance(public, rsa.RSAPublicKey)
    return made.private_der, public


def keys_in_flash() -> dict[int, bytes]:
    """What a Core that knows this server has in its external flash, by address."""
    return {
        layout.SERVER_KEY_ADDRESS: ServerRecord(public_der(_server_key()), "10.0.0.1").pack(),
        layout.CORE_KEY_ADDRESS: _core_key()[0],
    }


class CloudInMemory:
    """One server for one Core, that sends `image` once; `fast` as it is offered to Cores that can."""

    def __init__(self, image: bytes, *, fast: bool):
        self._chunks = [image[at : at + CHUNK_SIZE].ljust(CHUNK_SIZE, b"\0") for at in range(0, len(image), CHUNK_SIZE)]
        self._begin = UpdateBegin(len(image), CHUNK_SIZE, fast)
        self._orders: deque[tuple[str, bytes]] = deque()
        self._answers: deque[bytes] = deque()
        self._talk: Talk | None = None
        self._sent = self._greeted = False

    def update(self, core: Core) -> None:
        """From power-on until what was sent has come online. Raises LabFault where it does not."""
        core.radio.on_order = self._order
        core.power_on(core.time)
        for _ in range(MOST_STEPS):
            if self._sent and self._greeted:
                return
            if not (self._serve(core) or core.step()):
                break
        raise LabFault(f"the update over the air did not come through in memory: {core.events[-1].name} came last")

    def _order(self, order: str, what: object) -> None:
        """What the Core asks of its radio; it happens when the Core is not at work."""
        self._orders.append((order, what if isinstance(what, bytes) else b""))

    def _serve(self, core: Core) -> bool:
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
            self._talk = self._greeted_session() if self._sent else self._updating_session()
            self._sealer, self._opener, self._mids = _CREDENTIALS.sealer(), _CREDENTIALS.opener(), count(1)
            next(self._talk)
            core.network("open", b"", core.time)
            self._answers.append(bytes(NONCE_SIZE))
        elif order == "send" and len(data) == BLOCK_SIZE:
            self._answers.append(answer(_server_key(), _core_key()[1], _CREDENTIALS))
        elif order == "send" and self._talk is not None:
            self._hear(Message.parse(self._opener.open(data[2:])))
        elif order in ("close", "vanish"):
            self._talk = None
            self._answers.clear()

    def _hear(self, message: Message) -> None:
        try:
            assert self._talk is not None, "somebody talks"
            self._talk.send(message)
        except StopIteration:
            self._talk = None

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
        self._say(Type.CON, Code.PUT, path(b"u"))
        self._sent = True
        while True:
            yield

    def _greeted_session(self) -> Talk:
        yield from self._greet()
        mid = self._say(Type.CON, Code.EMPTY)  # it is answered when the Core has done what a Hello makes it do
        while (yield).mid != mid:
            pass
        self._greeted = True

    def _greet(self) -> Talk:
        while (yield).path != b"h":
            pass
        self._say(Type.NON, Code.POST, path(b"h"))

    def _asked(self, options: tuple[tuple[int, bytes], ...], payload: bytes) -> Talk:
        """Ask something, and wait until it is done."""
        token = bytes([self._say(Type.CON, Code.POST, options, payload) & 0xFF])
        while not ((heard := (yield)).type == Type.NON and heard.token == token and not heard.path):
            pass
