"""A control port: a JSON object a line in, one or more out; the last one has `done`. What can be asked is not here.

Errors are answers too: `{"done": true, "error": …, "hint": …, "status": exit status}`. A client that goes away ends
what it asked for.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
from collections.abc import AsyncIterator, Callable, Collection, Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from rig.errors import LabFault, Misuse, RigError

log = logging.getLogger(__name__)

#: An image comes in its request, as base64.
LONGEST_LINE = 12 << 20
#: How long somebody is listened to, who sends more, until they have our answer.
DRAIN_SECONDS = 5.0

Told = dict[str, Any]
#: Yields answers one by one, or several that go out together.
Handler = Callable[[Any], AsyncIterator[Told | list[Told]]]


class Request(BaseModel):
    """What all requests have: `do`, and nothing that is not named."""

    model_config = ConfigDict(extra="forbid", strict=True)

    do: str


class ControlPort:
    """Answers requests by `handlers`: for each name what a request of it looks like, and who answers it.

    What `goes_on` for long, by name, ends as soon as its client will send no more: nobody wants it then.
    """

    def __init__(self, handlers: Mapping[str, tuple[type[Request], Handler]], goes_on: Collection[str] = ("events",)):
        self._handlers = handlers
        self._goes_on = [f'"{name}"'.encode() for name in goes_on]
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self, host: str, port: int) -> int:
        """Listen; returns the port. Raises OSError when it is taken."""
        self._server = await asyncio.start_server(self._serve, host, port, limit=LONGEST_LINE)
        return int(self._server.sockets[0].getsockname()[1])

    async def close(self) -> None:
        """Stop listening, and end what is under way."""
        if self._server is not None:
            self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            while line := await _line(reader, writer):
                await self._answer(line, reader, writer)
        except (ConnectionError, ValueError, asyncio.CancelledError) as error:
            log.info("control peer dropped: %s", error)
        finally:
            self._tasks.discard(task)
            writer.close()

    async def _answer(self, line: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one line; what goes on ends when the peer hangs up."""
        work = asyncio.ensure_future(self._tell_all(line, writer))
        gone = asyncio.ensure_future(
            _until_gone(reader, writer, half=any(name in line[:200] for name in self._goes_on))
        )
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
            return await _write(writer, told_error(Misuse(f"{'.'.join(map(str, first['loc']))}: {first['msg']}")))
        except (ValueError, TypeError, KeyError, RecursionError):
            known = ", ".join(sorted(self._handlers))
            return await _write(writer, told_error(Misuse(f'expected {{"do": one of {known}}}')))
        try:
            async for told in handler(request):
                await _write(writer, *(told if isinstance(told, list) else [told]))
        except RigError as error:
            await _write(writer, told_error(error))
        except ValueError as error:
            log.exception("a request that cannot be")
            await _write(writer, told_error(Misuse(f"the request cannot be: {' '.join(str(error).split())}")))
        except (ArithmeticError, LookupError, OSError, TypeError) as error:
            if isinstance(error, ConnectionError):
                raise
            log.exception("a request that broke the server")
            await _write(writer, told_error(LabFault(f"the server itself broke: {type(error).__name__}: {error}")))


def told_error(error: RigError) -> Told:
    """An error as an answer."""
    status = error.exit_status
    return {"done": True, "error": error.message, "hint": error.hint, "board": error.board, "status": status}


async def _line(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
    """The next request, empty at the end; one too long is answered, and is the last."""
    try:
        return await reader.readline()
    except ValueError:
        await _write(writer, told_error(Misuse(f"a request is longer than {LONGEST_LINE:,} bytes")))
        await _drain(reader, writer)
        return b""


async def _drain(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Let a peer that still sends see our answer: hanging up with bytes unread is a reset."""
    if writer.can_write_eof():
        writer.write_eof()
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(DRAIN_SECONDS):
            while await reader.read(1 << 16):
                pass


async def _until_gone(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, half: bool) -> None:
    """Wait until the peer hung up, or with `half` will send no more; what it sends meanwhile stays for later."""
    while not writer.transport.is_closing() and not (half and reader.at_eof()):
        await asyncio.sleep(0.1)


async def _write(writer: asyncio.StreamWriter, *told: Told) -> None:
    writer.write(b"".join(json.dumps(each).encode() + b"\n" for each in told))
    await writer.drain()
