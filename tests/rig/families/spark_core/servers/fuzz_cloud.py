"""A fuzzer guided by coverage: bytes of any kind against frames, messages, and both ends' state. Run by a test.

python -m tests.rig.families.spark_core.servers.fuzz_cloud -runs=1000000
"""

from __future__ import annotations

import asyncio
import contextlib
import sys

import atheris

with atheris.instrument_imports(
    include=["rig.formats", "rig.families.spark_core.servers", "rig.families.spark_core.twin.app"]
):
    from rig.families.spark_core.formats.coap import Malformed, Message
    from rig.families.spark_core.formats.handshake import Credentials
    from rig.families.spark_core.formats.messages import Hello
    from rig.families.spark_core.servers.connection import Connection
    from rig.families.spark_core.servers.events import EventBus
    from rig.families.spark_core.servers.session import Session
    from rig.families.spark_core.twin.app.dialect import Dialect
    from rig.families.spark_core.twin.app.hang_up import HangUp
    from rig.families.spark_core.twin.app.protocol import Conversation
    from rig.families.spark_core.twin.app.user_code import synthetic

from rig.families.spark_core.formats.flash import SystemFlags
from rig.families.spark_core.twin.core import Core
from rig.families.spark_core.twin.memory import CoreMemory

CREDENTIALS = Credentials(bytes(range(40)))


class Transport:
    """Goes nowhere."""

    closing = False

    def write(self, _data):
        return None

    def abort(self):
        self.closing = True

    def is_closing(self):
        return self.closing

    def get_write_buffer_size(self):
        return 0


class Host:
    """Knows nobody; takes a Hello."""

    def __init__(self):
        self.bus = EventBus()

    def read(self, _block, _nonce):
        return None

    def refused(self, _connection, _reason):
        return None

    def introduced(self, connection, hello):
        return Session(connection, "00" * 12, hello, self.bus, 1)


def cut(data: bytes) -> list[bytes]:
    """Pieces, each behind a byte that says how long it is."""
    pieces = []
    while data:
        length, data = data[0], data[1:]
        pieces.append(data[:length])
        data = data[length:]
    return pieces


def server_side(data: bytes) -> None:
    """A Core that is through its handshake says anything, in any pieces: raw first, then sealed rightly."""
    connection = Connection(Host())
    connection.transport = Transport()
    connection._sealer, connection._opener = CREDENTIALS.sealer(), CREDENTIALS.opener()
    sealer = CREDENTIALS.sealer()
    connection.data_received(sealer.seal(Hello().pack(1)))
    for piece in cut(data):
        raw = piece[1:] if piece[:1] == b"\0" else sealer.seal(piece)
        if not connection.transport.closing:
            connection.data_received(raw)


def core_side(data: bytes) -> None:
    """A server says anything to a Core."""
    board = Core(CoreMemory(), lambda _area: None, time_scale=0)
    dialect = Dialect.of("0.4.4" if data[:1] > b"\x7f" else "0.2.1")
    conversation = Conversation(board, dialect, synthetic("x", "1", "probe", dialect), SystemFlags())
    conversation.start(CREDENTIALS)
    sealer = CREDENTIALS.sealer()
    for piece in cut(data[1:]):
        try:
            for step in conversation.handle(sealer.seal(piece)[2:]):
                # A Core that hangs waits for its SysTick, and no time passes here.
                if type(step).__name__ == "Reset" or any(event.name == "hangs" for event in board.events[-1:]):
                    return
        except HangUp:
            return


def one_input(data: bytes) -> None:
    """One input of the fuzzer."""
    with contextlib.suppress(Malformed):
        Message.parse(data)
    (server_side if data[:1] < b"\x80" else core_side)(data[1:])


async def main() -> None:
    """Fuzz, with an event loop around because sessions make futures."""
    atheris.Setup(sys.argv, one_input)
    atheris.Fuzz()


if __name__ == "__main__":
    asyncio.run(main())
