"""A control port: a JSON object a line in, one or more out; the last one has `done`. What can be asked is not here.

Errors are answers too: `{"done": true, "error": …, "hint": …, "status": exit status}`. A client that goes away ends
what it asked for. Who may ask is judged there (rig.control.control_socket).
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Callable, Collection, Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from rig.control.control_socket import ControlSocket, NotAControlClient, hang_up
from rig.errors import LabFault, Misuse, RigError
from rig.limits import CLOUD_CONTROL, Limits
from rig.lines import PIECE, ByteBudget, Lines, Reader
from rig.listener import Listener

log = logging.getLogger(__name__)

#: How long somebody may take to read an answer: longer than any machine stands still.
READ_SECONDS = 300.0

JsonObject = dict[str, Any]
#: Yields answers one by one, or several that go out together.
Handler = Callable[[Any], AsyncIterator[JsonObject | list[JsonObject]]]


class Request(BaseModel):
    """What all requests have: `do`, and nothing that is not named."""

    model_config = ConfigDict(extra="forbid", strict=True)

    do: str


class ControlPort:
    """Answers requests by `handlers`: for each name what a request of it looks like, and who answers it.

    What `goes_on` for long, by name, ends as soon as its client will send no more: nobody wants it then.
    """

    def __init__(
        self,
        handlers: Mapping[str, tuple[type[Request], Handler]],
        goes_on: Collection[str] = ("events",),
        limits: Limits = CLOUD_CONTROL,
    ):
        self._handlers = handlers
        self._goes_on = tuple(goes_on)
        self._limits, self._shared = limits, ByteBudget(limits.in_all)
        #: Long answers on their way.
        self._unread = ByteBudget(limits.in_all)
        self._control_socket: ControlSocket | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self, control_socket: ControlSocket) -> JsonObject:
        """Listen at a socket; returns what a ready line tells of it. Raises Misuse, and LabFault when it is taken."""
        self._control_socket = control_socket
        refusal = _lines(error_to_dict(LabFault("too many are connected to the control port")))
        listener = Listener(self._protocol, self._limits, refusal=refusal)
        self._limits = listener.limits
        return await control_socket.open(listener)

    async def close(self) -> None:
        """Stop listening, and end what is under way."""
        if self._control_socket is not None:
            self._control_socket.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _protocol(self) -> asyncio.BaseProtocol:
        return asyncio.StreamReaderProtocol(Reader(), self._serve)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        assert self._control_socket is not None
        assert isinstance(reader, Reader)
        lines = Lines(reader, self._limits, self._shared, self._control_socket.knows)
        try:
            while line := await lines.next():
                await self._answer(self._control_socket.parse_request(line), lines, writer)
        except NotAControlClient:
            await hang_up(reader, writer)
        except RigError as error:
            await hang_up(reader, writer, _lines(error_to_dict(error)))
        except (ConnectionError, TimeoutError, asyncio.CancelledError) as error:
            log.info("control peer dropped: %s", error)
        finally:
            lines.close()
            self._tasks.discard(task)
            writer.close()

    async def _answer(self, asked: JsonObject, lines: Lines, writer: asyncio.StreamWriter) -> None:
        """Answer one request; what goes on ends when the peer hangs up."""
        work = asyncio.ensure_future(self._write_all(asked, lines, writer))
        gone = asyncio.ensure_future(_until_gone(lines, writer, half=asked.get("do") in self._goes_on))
        try:
            await asyncio.wait({work, gone}, return_when=asyncio.FIRST_COMPLETED)
            if work.done():
                work.result()
        finally:
            for task in (work, gone):
                task.cancel()
            await asyncio.gather(work, gone, return_exceptions=True)

    async def _write_all(self, asked: JsonObject, lines: Lines, writer: asyncio.StreamWriter) -> None:
        try:
            model, handler = self._handlers[asked["do"]]
            request = model.model_validate(asked)
            lines.is_known()
        except ValidationError as error:
            first = error.errors()[0]
            return await self._write(
                writer, error_to_dict(Misuse(f"{'.'.join(map(str, first['loc']))}: {first['msg']}"))
            )
        except (TypeError, KeyError):
            known = ", ".join(sorted(self._handlers))
            return await self._write(writer, error_to_dict(Misuse(f'expected {{"do": one of {known}}}')))
        try:
            async for answer in handler(request):
                await self._write(writer, *(answer if isinstance(answer, list) else [answer]))
        except RigError as error:
            await self._write(writer, error_to_dict(error))
        except ValueError as error:
            log.exception("a request that cannot be")
            await self._write(writer, error_to_dict(Misuse(f"the request cannot be: {' '.join(str(error).split())}")))
        except (ArithmeticError, LookupError, OSError, TypeError) as error:
            if isinstance(error, ConnectionError) or writer.transport.is_closing():
                raise
            log.exception("a request that broke the server")
            await self._write(
                writer, error_to_dict(LabFault(f"the server itself broke: {type(error).__name__}: {error}"))
            )

    async def _write(self, writer: asyncio.StreamWriter, *answers: JsonObject) -> None:
        """Tell; whoever does not read it in time, or what goes on while too much is unread, is hung up on.

        Raises TimeoutError then. An answer for which there is no room is one that says so.
        """
        said = _lines(*answers)
        counted = len(said) if len(said) > PIECE else 0
        if not self._unread.take(counted):
            if not answers[-1].get("done"):
                writer.transport.abort()
                raise TimeoutError("too much is not read")
            said, counted = _lines(error_to_dict(LabFault("the answer is too long now", hint="ask for less"))), 0
        try:
            writer.write(said)
            async with asyncio.timeout(READ_SECONDS):
                await writer.drain()
        except TimeoutError:
            writer.transport.abort()
            raise
        finally:
            self._unread.give_back(counted)


def error_to_dict(error: RigError) -> JsonObject:
    """An error as an answer."""
    status = error.exit_status
    return {"done": True, "error": error.message, "hint": error.hint, "board": error.board, "status": status}


async def _until_gone(lines: Lines, writer: asyncio.StreamWriter, half: bool) -> None:
    """Wait until the peer hung up, or with `half` will send no more; what it sends meanwhile stays for later."""
    while not writer.transport.is_closing() and not (half and lines.at_end):
        await asyncio.sleep(0.1)


def _lines(*answers: JsonObject) -> bytes:
    return b"".join(json.dumps(each).encode() + b"\n" for each in answers)
