"""The control port of a twin: JSON objects, one a line, each answered by one.

It is the hand that presses buttons and the eye that sees the LED; what it shows is the model's own knowledge, so
nothing that judges firmware may ask it.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable, Mapping
from typing import Any

from rig.control.control_socket import ControlSocket, NotAControlClient, hang_up
from rig.errors import RigError
from rig.formats.json_object import is_whole
from rig.limits import TWIN_CONTROL, Limits
from rig.lines import ByteBudget, Lines, Reader
from rig.listener import Listener
from rig.twin.board_model import BoardModel
from rig.twin.real_time import RealTime

log = logging.getLogger(__name__)

Handler = Callable[[dict[str, Any]], dict[str, Any]]
#: More of the past is not shown.
MOST_SHOWN = 1000
#: What requests hold that is true or false, and nothing that would be taken for it.
SWITCHES = ("on", "pressed")


class ControlServer:
    """Answers `{"do": name, …}` with what the handler called `name` returns, or `{"error": …}`."""

    def __init__(self, handlers: Mapping[str, Handler], limits: Limits = TWIN_CONTROL):
        self._handlers = handlers
        self._limits, self._shared = limits, ByteBudget(limits.in_all)
        self._control_socket: ControlSocket | None = None
        self._peers: set[asyncio.StreamWriter] = set()

    async def start(self, control_socket: ControlSocket) -> dict[str, Any]:
        """Listen at a socket; returns what a ready line tells of it. Raises Misuse, and LabFault when it is taken."""
        self._control_socket = control_socket
        listener = Listener(self._protocol, self._limits, refusal=_line({"error": "too many are connected"}))
        self._limits = listener.limits
        return await control_socket.open(listener)

    def close(self) -> None:
        """Stop listening and drop every peer."""
        if self._control_socket is not None:
            self._control_socket.close()
        for peer in self._peers:
            peer.transport.abort()

    def answer(self, request: dict[str, Any]) -> dict[str, Any]:
        """The answer to one request."""
        try:
            name = request["do"]
            handler = self._handlers[name]
        except (TypeError, KeyError):
            return {"error": self._expected()}
        if wrong := [key for key in SWITCHES if not isinstance(request.get(key, True), bool)]:
            return {"error": f"{name}: {wrong[0]} is true or false, not {json.dumps(request[wrong[0]])}"}
        try:
            return handler(request)
        except (ArithmeticError, ValueError, TypeError, LookupError) as error:
            return {"error": f"{name}: {type(error).__name__}: {error}"}
        except RigError as error:
            return {"error": f"{name}: {error}"}
        except OSError as error:
            return {"error": f"{name}: {error.strerror or error}"}

    def _expected(self) -> str:
        return f'expected {{"do": one of {", ".join(sorted(self._handlers))}}}'

    def _protocol(self) -> asyncio.BaseProtocol:
        return asyncio.StreamReaderProtocol(Reader(), self._serve)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        assert self._control_socket is not None
        assert isinstance(reader, Reader)
        self._peers.add(writer)
        writer.transport.set_write_buffer_limits(high=self._limits.unread)
        lines = Lines(reader, self._limits, self._shared, self._control_socket.knows)
        try:
            while line := await lines.next():
                answer = self.answer(self._control_socket.parse_request(line))
                if "error" not in answer:
                    lines.is_known()
                writer.write(_line(answer))
                await writer.drain()
        except NotAControlClient:
            await hang_up(reader, writer)
        except RigError as error:
            await hang_up(reader, writer, _line({"error": str(error)}))
        except (ConnectionError, TimeoutError, asyncio.CancelledError) as error:
            log.info("control peer dropped: %s", error)
        finally:
            lines.close()
            self._peers.discard(writer)
            writer.close()


def whole_number(request: Mapping[str, Any], key: str, within: range, default: int | None = None) -> int:
    """A field that is a whole number. Raises ValueError for another one, KeyError where there is none."""
    value = request[key] if default is None else request.get(key, default)
    if not is_whole(value) or value not in within:
        raise ValueError(f"{key} is a whole number from {within[0]} to {within[-1]}, not {json.dumps(value)[:80]}")
    return value


def _line(answer: Mapping[str, Any]) -> bytes:
    return json.dumps(answer).encode() + b"\n"


def records(board: BoardModel, time: RealTime) -> Mapping[str, Handler]:
    """What any twin tells of its board's past: what was seen, and which flash work was done."""

    def events(_request: dict[str, Any]) -> dict[str, Any]:
        return {"events": [{"at": event.at, "name": event.name} for event in board.events[-MOST_SHOWN:]]}

    def journal(_request: dict[str, Any]) -> dict[str, Any]:
        board.catch_up(time.now())
        keys = ("first", "kind", "address", "unit", "count")
        runs = [{key: getattr(run, key) for key in keys} for run in board.memory.journal.runs[-MOST_SHOWN:]]
        return {"operations": board.operations, "runs": runs}

    return {"events": events, "journal": journal}
