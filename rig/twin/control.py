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

from rig.control.door import Door, NotAdmitted, refuse
from rig.errors import RigError
from rig.twin.board_model import BoardModel
from rig.twin.real_time import RealTime

log = logging.getLogger(__name__)

Handler = Callable[[dict[str, Any]], dict[str, Any]]
LONGEST_LINE = 64 * 1024
#: More of the past is not shown.
MOST_SHOWN = 1000
#: What requests hold that is true or false, and nothing that would be taken for it.
SWITCHES = ("on", "pressed")


class ControlServer:
    """Answers `{"do": name, …}` with what the handler called `name` returns, or `{"error": …}`."""

    def __init__(self, handlers: Mapping[str, Handler]):
        self._handlers = handlers
        self._door: Door | None = None
        self._peers: set[asyncio.StreamWriter] = set()

    async def start(self, door: Door) -> dict[str, Any]:
        """Listen at a door; returns what a ready line tells of it. Raises Misuse, and LabFault when it is taken."""
        self._door = door
        return await door.open(self._serve, limit=LONGEST_LINE)

    def close(self) -> None:
        """Stop listening and drop every peer."""
        if self._door is not None:
            self._door.close()
        for peer in self._peers:
            peer.transport.abort()

    def answer(self, request: dict[str, Any]) -> dict[str, Any]:
        """The answer to one request."""
        try:
            name = request["do"]
            handler = self._handlers[name]
        except (TypeError, KeyError):
            return {"error": f'expected {{"do": one of {", ".join(sorted(self._handlers))}}}'}
        if wrong := [key for key in SWITCHES if not isinstance(request.get(key, True), bool)]:
            return {"error": f"{name}: {wrong[0]} is true or false, not {json.dumps(request[wrong[0]])}"}
        try:
            return handler(request)
        except (ValueError, TypeError, KeyError) as error:
            return {"error": f"{name}: {type(error).__name__}: {error}"}
        except RigError as error:
            return {"error": f"{name}: {error}"}

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        assert self._door is not None
        self._peers.add(writer)
        try:
            while line := await reader.readline():
                writer.write(_line_of(self.answer(self._door.admit(line))))
                await writer.drain()
        except NotAdmitted as error:
            await refuse(reader, writer, _line_of({"error": str(error)}) if error.message else b"")
        except (ConnectionError, ValueError, asyncio.CancelledError) as error:
            log.info("control peer dropped: %s", error)
        finally:
            self._peers.discard(writer)
            writer.close()


def _line_of(told: dict[str, Any]) -> bytes:
    return json.dumps(told).encode() + b"\n"


def records(board: BoardModel, time: RealTime) -> Mapping[str, Handler]:
    """What any twin tells of its board's past: what was seen, and which flash work was done."""

    def events(_request: dict[str, Any]) -> dict[str, Any]:
        return {"events": [{"at": event.at, "name": event.name} for event in board.events[-MOST_SHOWN:]]}

    def journal(_request: dict[str, Any]) -> dict[str, Any]:
        board.catch_up(time.now())
        keys = ("first", "kind", "address", "unit", "count")
        told = [{key: getattr(run, key) for key in keys} for run in board.memory.journal.runs[-MOST_SHOWN:]]
        return {"operations": board.operations, "runs": told}

    return {"events": events, "journal": journal}
