"""Updates over the air: begin, chunks, done (reference §6.4, §6.5). How chunks go is in the two transfers.

A Core may reset without another word once it has all: from UpdateDone on, its silence and the end of its connection
are no failure. The flag in its next Hello says what became of the update.
"""

from __future__ import annotations

import asyncio
from typing import Protocol

from rig.errors import Misuse
from rig.families.spark_core.formats import flash as layout
from rig.families.spark_core.formats.coap import Code, Message, Type, path
from rig.families.spark_core.servers.chunks import Chunks, Sent
from rig.families.spark_core.servers.events import EventBus
from rig.families.spark_core.servers.fast_transfer import FastTransfer
from rig.families.spark_core.servers.faults import Faults
from rig.families.spark_core.servers.inbox import Inbox
from rig.families.spark_core.servers.session import Session
from rig.families.spark_core.servers.slow_transfer import SlowTransfer

CHUNK_SIZES = (256, 512)
#: The reference server's times (§6.4).
BEGIN_EVERY_SECONDS, BEGIN_TRIES, READY_SECONDS = 6.0, 3, 90.0
TRANSFER_SECONDS = 600.0
#: How long a Core may be silent after UpdateDone: one that misses something asks every 3 s.
DONE_SECONDS = 30.0


class Transfer(Protocol):
    """A way to send chunks. `start` and `received` answer whether it is through; all of them raise DeviceFault."""

    #: After so much silence, `quiet` is called.
    quiet_seconds: float

    def start(self) -> bool:
        """Send what can be sent at once."""

    def received(self, message: Message) -> bool:
        """Act on what the Core says, after the end too."""

    def quiet(self) -> None:
        """Nothing came for long."""


class Flasher:
    """One update of one session."""

    def __init__(self, session: Session, image: bytes, bus: EventBus, faults: Faults, *, chunk_size: int, fast: bool):
        if chunk_size not in CHUNK_SIZES:
            raise Misuse(f"chunks have {' or '.join(map(str, CHUNK_SIZES))} bytes, not {chunk_size}")
        if not image:
            raise Misuse("the image is empty")
        self._session, self._wants_fast = session, fast
        self._chunks = Chunks(session, image, bus, faults, chunk_size=chunk_size, fast=fast)
        self._inbox = Inbox(session)

    @property
    def sent(self) -> Sent:
        """What it came to so far."""
        return self._chunks.sent

    async def run(self) -> Sent:
        """Send it all. Raises DeviceFault when the Core does not go along, LabFault when it goes offline too early."""
        try:
            with self._inbox:
                async with asyncio.timeout(TRANSFER_SECONDS):
                    await self._make_ready()
                    transfer: Transfer = (FastTransfer if self.sent.fast else SlowTransfer)(self._chunks)
                    await self._send(transfer)
                    await self._finish(transfer)
        except TimeoutError:
            raise self._chunks.fault(f"the update is not through after {TRANSFER_SECONDS:.0f} s") from None
        finally:
            self._chunks.close()
        return self.sent

    async def _make_ready(self) -> None:
        """UpdateBegin; repeated only while not even its acknowledgement has come.

        Each one makes the Core begin anew, so that the last one's UpdateReady is the one that counts.
        """
        mids, token = set(), b""

        def is_acknowledged(message: Message) -> bool:
            return message.type == Type.ACK and message.mid in mids

        for _ in range(BEGIN_TRIES):
            mid, token = self._chunks.begin()
            mids.add(mid)
            self._chunks.emit("begin-sent")
            if acknowledged := await self._inbox.next(is_acknowledged, BEGIN_EVERY_SECONDS):
                break
        else:
            acknowledged = await self._inbox.next(is_acknowledged, READY_SECONDS)
        if acknowledged is None:
            raise self._chunks.fault("does not answer UpdateBegin")
        if acknowledged.is_refusal:
            raise self._chunks.fault(f"refuses the update: {_spoken(acknowledged.code)}")
        ready = await self._inbox.next(
            lambda message: message.type == Type.NON and message.token == token and not message.path, READY_SECONDS
        )
        if ready is None:
            raise self._chunks.fault("acknowledged UpdateBegin, but is not ready")
        self.sent.fast = self._wants_fast and ready.payload == b"\1"  # others take slow ones only
        self._chunks.emit("ready")

    async def _send(self, transfer: Transfer) -> None:
        if transfer.start():
            return
        while not await self._inbox.each(transfer.received, transfer.quiet_seconds):
            transfer.quiet()

    async def _finish(self, transfer: Transfer) -> None:
        """UpdateDone, once. A slow update is over with its acknowledgement, which is likely, not guaranteed.

        When something is missing of a fast one, the Core says what, and finishes by itself. It says so only where
        it does not reset first, as a Core does.
        """
        mid, _ = self._session.send(Type.CON, Code.PUT, path(b"u"))
        self._chunks.emit("done-sent")

        def ends(message: Message) -> bool:
            if message.type == Type.ACK and message.mid == mid:
                if message.is_refusal and not self.sent.fast:
                    raise self._chunks.fault(f"does not accept UpdateDone: {_spoken(message.code)}")
                return not message.is_refusal
            if message.code == Code.POST and message.path == b"u":
                return True
            transfer.received(message)
            return False

        if await self._inbox.each(ends, DONE_SECONDS, may_end=True):
            self.sent.acknowledged = True
            self._chunks.emit("done-acknowledged")


def too_large(image: bytes) -> Misuse | None:
    """What to say of an image of which a Core copies only a part; None for one that fits."""
    if len(image) <= layout.APP_SIZE:
        return None
    return Misuse(
        f"the image has {len(image):,} bytes, a Core copies {layout.APP_SIZE:,}", hint="force it if you are sure"
    )


def _spoken(code: int) -> str:
    return f"{code >> 5}.{code & 31:02}"
