"""The control port of a Spark cloud: a JSON object a line in, one or more out; the last one has `done`.

Errors are answers too: `{"done": true, "error": …, "hint": …, "status": exit status}`. A client that goes away ends
what it asked for.
"""

from __future__ import annotations

import asyncio
import base64
import json
import logging
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from rig.errors import LabFault, Misuse, RigError
from rig.servers.spark.cloud import SparkCloud
from rig.servers.spark.core_keys import checked_core_id
from rig.servers.spark.faults import Fault
from rig.trust.server_key import load_server_key, make_server_key, public_der

log = logging.getLogger(__name__)

LONGEST_LINE = 4 * 1024 * 1024
MOST_QUEUED = 10_000

Told = dict[str, Any]
Handler = Callable[[Any], AsyncIterator[Told]]


class _Request(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    do: str


class _OfCore(_Request):
    core: str


class _Events(_Request):
    """Of one Core, or of all."""

    core: str | None = None


class _Named(_OfCore):
    name: str


class _Call(_Named):
    argument: str = ""


class _Signal(_OfCore):
    on: bool


class _SendEvent(_Named):
    data: str | None = None


class _Flash(_OfCore):
    image: str
    chunk_size: int = 256
    fast: bool = False
    force: bool = False


class _Fault(_Request):
    kind: str
    core: str | None = None
    chunk: int = Field(default=0, ge=0)
    seconds: float = 4.0
    times: int = 1


class _Key(_Request):
    """Another key from a file, or one that is made now."""

    file: str | None = None
    core: str | None = None


class _AddCore(_OfCore):
    pem: str


class CloudControl:
    """Drives `cloud` for whoever connects."""

    def __init__(self, cloud: SparkCloud):
        self._cloud = cloud
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._handlers: dict[str, tuple[type[_Request], Handler]] = {
            "list": (_Request, self._list),
            "describe": (_OfCore, self._describe),
            "variable": (_Named, self._variable),
            "call": (_Call, self._call),
            "signal": (_Signal, self._signal),
            "ping": (_OfCore, self._ping),
            "send-event": (_SendEvent, self._send_event),
            "flash": (_Flash, self._flash),
            "events": (_Events, self._events),
            "fault": (_Fault, self._fault),
            "faults": (_Request, self._faults),
            "clear-faults": (_Events, self._clear_faults),
            "swap-key": (_Key, self._swap_key),
            "restore-key": (_OfCore, self._restore_key),
            "add-core": (_AddCore, self._add_core),
            "disconnect": (_OfCore, self._disconnect),
        }

    async def start(self, host: str, port: int) -> int:
        """Listen; returns the port. Raises OSError when it is taken."""
        self._server = await asyncio.start_server(self._serve, host, port, limit=LONGEST_LINE)
        return int(self._server.sockets[0].getsockname()[1])

    def close(self) -> None:
        """Stop listening, and end what is under way."""
        if self._server is not None:
            self._server.close()
        for task in self._tasks:
            task.cancel()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            while line := await reader.readline():
                await self._answer(line, reader, writer)
        except (ConnectionError, ValueError, asyncio.CancelledError) as error:
            log.info("control peer dropped: %s", error)
        finally:
            self._tasks.discard(task)
            writer.close()

    async def _answer(self, line: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one line; what goes on for long ends when the peer hangs up, half or whole."""
        work = asyncio.ensure_future(self._tell_all(line, writer))
        gone = asyncio.ensure_future(_until_gone(reader, writer, _goes_on(line)))
        try:
            await asyncio.wait({work, gone}, return_when=asyncio.FIRST_COMPLETED)
            if work.done():
                work.result()
        finally:
            for task in (work, gone):
                task.cancel()
            await asyncio.gather(work, gone, return_exceptions=True)

    async def _tell_all(self, line: bytes, writer: asyncio.StreamWriter) -> None:
        try:
            raw = json.loads(line)
            model, handler = self._handlers[raw["do"]]
            request = model.model_validate(raw)
        except ValidationError as error:
            first = error.errors()[0]
            return await _write(writer, _error(Misuse(f"{'.'.join(map(str, first['loc']))}: {first['msg']}")))
        except (ValueError, TypeError, KeyError, RecursionError):
            known = ", ".join(sorted(self._handlers))
            return await _write(writer, _error(Misuse(f'expected {{"do": one of {known}}}')))
        try:
            async for told in handler(request):
                await _write(writer, told)
        except RigError as error:
            await _write(writer, _error(error))
        except (ArithmeticError, LookupError, OSError, TypeError, ValueError) as error:
            if isinstance(error, ConnectionError):
                raise
            log.exception("a request that broke the cloud")
            await _write(writer, _error(LabFault(f"the cloud itself broke: {type(error).__name__}: {error}")))

    # -- what can be asked ---------------------------------------------------------------------------------------------

    async def _list(self, _request: _Request) -> AsyncIterator[Told]:
        yield {"done": True, "cores": [session.told() for session in self._cloud.sessions.values()]}

    async def _describe(self, request: _OfCore) -> AsyncIterator[Told]:
        yield {"done": True, **await self._cloud.session(request.core).describe()}

    async def _variable(self, request: _Named) -> AsyncIterator[Told]:
        yield {"done": True, "value": await self._cloud.session(request.core).variable(request.name)}

    async def _call(self, request: _Call) -> AsyncIterator[Told]:
        yield {"done": True, "returned": await self._cloud.session(request.core).call(request.name, request.argument)}

    async def _signal(self, request: _Signal) -> AsyncIterator[Told]:
        await self._cloud.session(request.core).signal(request.on)
        yield {"done": True}

    async def _ping(self, request: _OfCore) -> AsyncIterator[Told]:
        yield {"done": True, "seconds": round(await self._cloud.session(request.core).ping(), 6)}

    async def _send_event(self, request: _SendEvent) -> AsyncIterator[Told]:
        yield {"done": True, "wanted": self._cloud.session(request.core).send_event(request.name, request.data)}

    async def _flash(self, request: _Flash) -> AsyncIterator[Told]:
        """Events of this Core while it is updated, then what came of it."""
        try:
            image = base64.b64decode(request.image, validate=True)
        except ValueError:
            raise Misuse("image: not base64") from None
        queue, unsubscribe = self._subscribed(request.core.lower(), ends=False)
        flashing = asyncio.ensure_future(
            self._cloud.flash(
                request.core, image, chunk_size=request.chunk_size, fast=request.fast, force=request.force
            )
        )
        flashing.add_done_callback(lambda _done: queue.put_nowait(None))
        try:
            while (event := await queue.get()) is not None:
                yield event
            yield {"done": True, **await flashing}
        finally:
            unsubscribe()
            flashing.cancel()

    async def _events(self, request: _Events) -> AsyncIterator[Told]:
        queue, unsubscribe = self._subscribed(request.core and request.core.lower(), ends=True)
        yield {"subscribed": True}
        try:
            while (event := await queue.get()) is not None:
                yield event
        finally:
            unsubscribe()

    async def _fault(self, request: _Fault) -> AsyncIterator[Told]:
        core = checked_core_id(request.core) if request.core else None
        self._cloud.faults.add(Fault(request.kind, core, request.chunk, request.seconds, request.times))
        yield {"done": True, "faults": self._cloud.faults.told()}

    async def _faults(self, _request: _Request) -> AsyncIterator[Told]:
        yield {"done": True, "faults": self._cloud.faults.told()}

    async def _clear_faults(self, request: _Events) -> AsyncIterator[Told]:
        self._cloud.faults.clear(checked_core_id(request.core) if request.core else None)
        yield {"done": True}

    async def _swap_key(self, request: _Key) -> AsyncIterator[Told]:
        key = load_server_key(Path(request.file)) if request.file is not None else make_server_key()
        self._cloud.swap_key(key, request.core)
        yield {"done": True, "public_key": public_der(key).hex()}

    async def _restore_key(self, request: _OfCore) -> AsyncIterator[Told]:
        self._cloud.restore_key(request.core)
        yield {"done": True}

    async def _add_core(self, request: _AddCore) -> AsyncIterator[Told]:
        self._cloud.core_keys.add(request.core, request.pem.encode())
        yield {"done": True}

    async def _disconnect(self, request: _OfCore) -> AsyncIterator[Told]:
        self._cloud.session(request.core).connection.close("told to hang up")
        yield {"done": True}

    def _subscribed(self, core: str | None, *, ends: bool) -> tuple[asyncio.Queue[Told | None], Callable[[], None]]:
        """A queue of events of one Core, or of all; for a reader that is far too slow it `ends`, or events are lost."""
        queue: asyncio.Queue[Told | None] = asyncio.Queue()

        def take(event: Told) -> None:
            if core is not None and event["core"] not in (core, None):
                return
            if queue.qsize() < MOST_QUEUED:
                queue.put_nowait(event)
            elif ends and queue.qsize() == MOST_QUEUED:
                queue.put_nowait(None)

        return queue, self._cloud.bus.subscribe(take)


def _error(error: RigError) -> Told:
    status = error.exit_status
    return {"done": True, "error": error.message, "hint": error.hint, "board": error.board, "status": status}


def _goes_on(line: bytes) -> bool:
    """Whether a request takes its time: who asks for that and hangs up does not want it any more."""
    return any(b'"%s"' % name in line[:200] for name in (b"flash", b"events"))


async def _until_gone(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, half: bool) -> None:
    """Wait until the peer hung up, or with `half` will send no more; what it sends meanwhile stays for later."""
    while not writer.transport.is_closing() and not (half and reader.at_eof()):
        await asyncio.sleep(0.1)


async def _write(writer: asyncio.StreamWriter, told: Told) -> None:
    writer.write(json.dumps(told).encode() + b"\n")
    await writer.drain()
