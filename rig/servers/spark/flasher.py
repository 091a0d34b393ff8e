"""Updates over the air: chunk by chunk to a Core that forgets nothing and checks little (reference §6.4, §6.5).

A slow update has no index on the wire, so a chunk sent twice shifts the image. Hence the one rule: a chunk is never
sent again while an answer to it is outstanding, unless the Core's silence was long enough to mean that it was lost.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any

from rig.errors import DeviceFault, Misuse
from rig.formats import spark_flash as layout
from rig.formats.spark_coap import Code, Message, Type, path
from rig.formats.spark_messages import UpdateBegin, acknowledgement, chunk_options
from rig.servers.spark.events import EventBus
from rig.servers.spark.faults import Faults
from rig.servers.spark.inbox import Inbox
from rig.servers.spark.session import Session, indices_missed

CHUNK_SIZES = (256, 512)
#: The reference server's times (§6.4).
BEGIN_EVERY_SECONDS, BEGIN_TRIES, READY_SECONDS = 6.0, 3, 90.0
ANSWER_SECONDS, TRANSFER_SECONDS, MOST_MISSES = 90.0, 600.0, 10
DONE_SECONDS = 6.0
#: A ChunkMissed that comes sooner after a chunk than this is about the silence before it: the Core asks every 3 s.
CROSSING_SECONDS = 2.5
#: How many unanswered chunks of a fast update may be on their way: more would fill a busy Core's buffers.
WINDOW = 16


@dataclass(slots=True)
class Sent:
    """What an update came to, as far as the server can tell: whether it was applied says the next Hello."""

    chunks: int
    chunk_size: int
    fast: bool
    sent: int = 0
    missed: int = 0
    bad_crc: int = 0
    acknowledged: bool = False
    faults: list[str] = field(default_factory=list)


class Flasher:
    """One update of one session."""

    def __init__(self, session: Session, image: bytes, bus: EventBus, faults: Faults, *, chunk_size: int, fast: bool):
        if chunk_size not in CHUNK_SIZES:
            raise Misuse(f"chunks have {' or '.join(map(str, CHUNK_SIZES))} bytes, not {chunk_size}")
        if not image:
            raise Misuse("the image is empty")
        if session.update_listener is not None:
            raise Misuse(f"{session.core_id} is being updated already")
        self._session, self._bus, self._faults, self._fast = session, bus, faults, fast
        self._begin = UpdateBegin(len(image), chunk_size, fast)
        count = -(-len(image) // chunk_size)
        self._chunks = [image[at * chunk_size :][:chunk_size].ljust(chunk_size, b"\0") for at in range(count)]
        self._inbox = Inbox(session)
        self._finished = False
        #: Chunks of a fast update that are not answered yet, by token.
        self._outstanding: dict[bytes, int] = {}
        self.sent = Sent(count, chunk_size, fast)

    async def run(self) -> Sent:
        """Send it all. Raises DeviceFault when the Core does not go along, LabFault when it goes offline."""
        try:
            with self._inbox:
                async with asyncio.timeout(TRANSFER_SECONDS):
                    await self._make_ready()
                    await (self._send_fast() if self._fast else self._send_slow())
                    if not self._finished:
                        await self._finish()
        except TimeoutError:
            raise self._fault(f"the update is not through after {TRANSFER_SECONDS:.0f} s") from None
        return self.sent

    # -- phases --------------------------------------------------------------------------------------------------------

    async def _make_ready(self) -> None:
        """UpdateBegin; repeated only while not even its acknowledgement has come."""
        mids, token = set(), b""
        for _ in range(BEGIN_TRIES):
            mid, token = self._session.send(Type.CON, Code.POST, path(b"u"), self._begin.pack())
            mids.add(mid)
            self._tell("begin-sent")
            acknowledged = await self._inbox.next(
                lambda message: message.type == Type.ACK and message.mid in mids, BEGIN_EVERY_SECONDS
            )
            if acknowledged is not None:
                break
        else:
            acknowledged = await self._inbox.next(
                lambda message: message.type == Type.ACK and message.mid in mids, READY_SECONDS
            )
        if acknowledged is None:
            raise self._fault("does not answer UpdateBegin")
        if acknowledged.code >= Code.BAD_REQUEST:
            raise self._fault(f"refuses the update: {_spoken(acknowledged.code)}")
        ready = await self._inbox.next(
            lambda message: message.type == Type.NON and message.token == token and not message.path, READY_SECONDS
        )
        if ready is None:
            raise self._fault("acknowledged UpdateBegin, but is not ready")
        if self._fast and ready.payload != b"\1":
            self._fast = self.sent.fast = False  # it takes slow ones only
        self._tell("ready")

    async def _send_slow(self) -> None:
        """Stop and wait."""
        at = 0
        while at < len(self._chunks):
            await self._before(at)
            copies = 0 if self._planned("drop", at) else 2 if self._planned("duplicate", at) else 1
            mid, token = 0, b""
            for _ in range(copies):
                mid, token = self._send_chunk(at)
            before, at = at, await self._answer_to(at, mid, token)
            if await self._after(before):
                return

    async def _answer_to(self, at: int, mid: int, token: bytes) -> int:
        """Which chunk is next. Raises DeviceFault."""
        sent_at = asyncio.get_running_loop().time()
        processed = False
        while True:
            message = await self._inbox.next(_always, ANSWER_SECONDS)
            if message is None:
                raise self._fault(f"does not answer chunk {at}")
            if message.type == Type.ACK and message.mid == mid:
                processed = True
            elif message.type == Type.NON and message.token == token:
                if message.code == Code.BAD_REQUEST:
                    self.sent.bad_crc += 1
                    self._tell("chunk-bad", index=at)
                    return at
                self._tell("chunk", index=at, of=len(self._chunks))
                return at + 1
            elif missed := indices_missed(message):
                self._acknowledge_missed(message, missed)
                waited = asyncio.get_running_loop().time() - sent_at
                if processed or waited >= CROSSING_SECONDS:
                    return min(missed[0], len(self._chunks) - 1)

    async def _send_fast(self) -> None:
        """All chunks with their index, a window of them unanswered; then what the Core misses, until it is done."""
        outstanding = self._outstanding
        for at in range(len(self._chunks)):
            await self._before(at)
            if not self._planned("drop", at):
                for _ in range(2 if self._planned("duplicate", at) else 1):
                    outstanding[self._send_chunk(at, at)[1]] = at
            while len(outstanding) >= WINDOW:
                if not await self._collect():
                    outstanding.clear()  # damaged ones are never answered: the Core will ask for them
            for message in self._inbox.taken():
                self._is_answer(message)
            if await self._after(at):
                return

    async def _finish(self) -> None:
        """UpdateDone."""
        self._finished = True
        await (self._finish_fast() if self._fast else self._finish_slow())

    async def _finish_fast(self) -> None:
        """When something is missing the Core says what, and finishes by itself."""
        mid, _ = self._session.send(Type.CON, Code.PUT, path(b"u"))
        self._tell("done-sent")
        while True:
            message = await self._inbox.next(_always, READY_SECONDS)
            if message is None:
                raise self._fault("does not finish a fast update")
            if message.type == Type.ACK and message.mid == mid and message.code == Code.CHANGED:
                return self._acknowledged()
            if message.code == Code.POST and message.path == b"u":
                return self._acknowledged()
            self._is_answer(message)
            if missed := indices_missed(message):
                self._acknowledge_missed(message, missed)
                for index in missed:
                    if index < len(self._chunks) and not self._planned("drop", index):
                        self._send_chunk(index, index)

    async def _finish_slow(self) -> None:
        """Once; its acknowledgement is likely, not guaranteed."""
        mid, _ = self._session.send(Type.CON, Code.PUT, path(b"u"))
        self._tell("done-sent")
        answer = await self._inbox.next(
            lambda message: message.type == Type.ACK and message.mid == mid, DONE_SECONDS, may_end=True
        )
        if answer is not None and answer.code >= Code.BAD_REQUEST:
            raise self._fault(f"does not accept UpdateDone: {_spoken(answer.code)}")
        if answer is not None:
            self._acknowledged()

    def _acknowledged(self) -> None:
        self.sent.acknowledged = True
        self._tell("done-acknowledged")

    # -- chunks and faults ---------------------------------------------------------------------------------------------

    def _send_chunk(self, at: int, index: int | None = None) -> tuple[int, bytes]:
        data = self._chunks[at]
        options = chunk_options(data, index)
        if self._planned("corrupt", at):
            data = bytes([data[0] ^ 1]) + data[1:]
        self.sent.sent += 1
        return self._session.send(Type.CON, Code.POST, options, data)

    def _planned(self, kind: str, at: int) -> bool:
        if self._faults.take(kind, self._session.core_id, at) is None:
            return False
        self.sent.faults.append(f"{kind}@{at}")
        self._tell("fault", kind=kind, index=at)
        return True

    async def _before(self, at: int) -> None:
        fault = self._faults.take("stall", self._session.core_id, at)
        if fault is not None:
            self.sent.faults.append(f"stall@{at}")
            self._tell("fault", kind="stall", index=at)
            await asyncio.sleep(fault.seconds)

    async def _after(self, at: int) -> bool:
        """Do what is planned after a chunk; answers whether that was the end."""
        if self._planned("second-begin", at):
            self._session.send(Type.CON, Code.POST, path(b"u"), self._begin.pack())
        if self._planned("early-done", at):
            await self._finish()
            return True
        return False

    def _acknowledge_missed(self, message: Message, missed: list[int]) -> None:
        self._session.connection.send(acknowledgement(message.mid))
        self.sent.missed += 1
        self._tell("chunk-missed", indices=missed)
        if self.sent.missed > MOST_MISSES:
            raise self._fault(f"missed chunks {self.sent.missed} times")

    async def _collect(self) -> bool:
        """Wait for the answer to one of the chunks on their way."""
        return await self._inbox.next(self._is_answer, 1.0) is not None

    def _is_answer(self, message: Message) -> bool:
        """Whether a message answers one of the chunks on their way; it is told."""
        if message.type != Type.NON or message.token not in self._outstanding:
            return False
        self._tell("chunk", index=self._outstanding.pop(message.token), of=len(self._chunks))
        return True

    def _tell(self, event: str, **content: Any) -> None:
        self._bus.tell(event, self._session.core_id, **content)

    def _fault(self, message: str) -> DeviceFault:
        return DeviceFault(message, board=self._session.core_id, phase="download")


def too_large(image: bytes) -> Misuse | None:
    """What to say of an image of which a Core copies only a part; None for one that fits."""
    if len(image) <= layout.APP_SIZE:
        return None
    return Misuse(
        f"the image has {len(image):,} bytes, a Core copies {layout.APP_SIZE:,}", hint="force it if you are sure"
    )


def _always(_message: Message) -> bool:
    return True


def _spoken(code: int) -> str:
    return f"{code >> 5}.{code & 31:02}"
