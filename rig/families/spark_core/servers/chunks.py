"""The chunks of one update on their way to a Core, and what is planned to go wrong with them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from rig.errors import DeviceFault
from rig.families.spark_core.formats.coap import Code, Message, Type, path
from rig.families.spark_core.formats.messages import UpdateBegin, acknowledgement, chunk_options
from rig.families.spark_core.servers.events import EventBus
from rig.families.spark_core.servers.faults import Faults
from rig.families.spark_core.servers.session import Session


@dataclass(slots=True)
class Sent:
    """What an update came to, as far as the server can tell: whether it was applied says the next Hello.

    `damage` is how the image in the Core differs from the one that was meant, empty where its answers show nothing.
    """

    chunks: int
    chunk_size: int
    fast: bool
    sent: int = 0
    missed: int = 0
    bad_crc: int = 0
    acknowledged: bool = False
    faults: list[str] = field(default_factory=list)
    damage: str = ""


class Chunks:
    """An image in chunks, the last one padded; `sent` counts what happened to them."""

    def __init__(self, session: Session, image: bytes, bus: EventBus, faults: Faults, *, chunk_size: int, fast: bool):
        self._session, self._bus, self._faults = session, bus, faults
        starts = range(0, len(image), chunk_size)
        self._data = [image[start : start + chunk_size].ljust(chunk_size, b"\0") for start in starts]
        self._begin = UpdateBegin(len(image), chunk_size, fast)
        self._stall: asyncio.TimerHandle | None = None
        self.sent = Sent(len(self._data), chunk_size, fast)

    def __len__(self) -> int:
        return len(self._data)

    def begin(self) -> tuple[int, bytes]:
        """UpdateBegin: returns its id and token."""
        return self._session.send(Type.CON, Code.POST, path(b"u"), self._begin.pack())

    def send(self, at: int, index: int | None = None) -> list[tuple[int, bytes]]:
        """Send a chunk, with its index in a fast update; returns the copies' ids and tokens: one, unless planned."""
        is_dropped = self.planned("drop", at) is not None
        is_doubled = not is_dropped and self.planned("duplicate", at) is not None
        return [self._send_one(at, index) for _ in range(0 if is_dropped else 2 if is_doubled else 1)]

    def stalls(self, at: int, go_on: Callable[[], None]) -> bool:
        """Whether the server is to be silent before this chunk: then `go_on` is called later."""
        if (seconds := self.planned("stall", at)) is None:
            return False
        self._stall = asyncio.get_running_loop().call_later(seconds, go_on)
        return True

    def close(self) -> None:
        """Nothing more is sent: a chunk outside of an update would shift the next one."""
        if self._stall is not None:
            self._stall.cancel()

    def planned(self, kind: str, at: int) -> float | None:
        """The seconds of a fault that is to happen to this chunk, counted and told; None when none is."""
        fault = self._faults.take(kind, self._session.core_id, at)
        if fault is None:
            return None
        self.sent.faults.append(f"{kind}@{at}")
        self.emit("fault", kind=kind, index=at)
        return fault.seconds

    def missed(self, message: Message, indices: list[int]) -> None:
        """The Core asks for chunks: its question is acknowledged and told."""
        self._session.connection.send(acknowledgement(message.mid))
        self.emit("chunk-missed", indices=indices)

    def lost(self, most: int) -> None:
        """What the Core asked for is lost. Raises DeviceFault when that happened too often."""
        self.sent.missed += 1
        if self.sent.missed > most:
            raise self.fault(f"missed chunks {self.sent.missed} times")

    def stored(self, at: int) -> None:
        """The Core said that it stored a chunk."""
        self.emit("chunk", index=at, of=len(self))

    def damaged(self, how: str) -> None:
        """The image in the Core is not the one that was sent. Raises DeviceFault, unless we were told to do that."""
        self.sent.damage = self.sent.damage or how
        if not self.sent.faults:
            raise self.fault(f"the image in the Core is not the one that was sent: {how}")

    def ask(self) -> int:
        """Ask whether the Core is there; returns the id of the question."""
        return self._session.send(Type.CON, Code.EMPTY)[0]

    def emit(self, event: str, **content: Any) -> None:
        """Something happened."""
        self._bus.emit(event, self._session.core_id, **content)

    def fault(self, message: str) -> DeviceFault:
        """A failure of this update."""
        return DeviceFault(message, board=self._session.core_id, phase="download")

    def _send_one(self, at: int, index: int | None) -> tuple[int, bytes]:
        data = self._data[at]
        options = chunk_options(data, index)
        if self.planned("corrupt", at) is not None:
            data = bytes([data[0] ^ 1]) + data[1:]
        self.sent.sent += 1
        return self._session.send(Type.CON, Code.POST, options, data)
