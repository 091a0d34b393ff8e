"""A relay board that is not there: channels wired to lines of twins, driven over Modbus TCP and over Shelly's HTTP RPC.

Both protocols see the same channels, as both hands of a lab do: cuts go by Modbus, people by HTTP. Like a real relay it
does not know what hangs on it: a wire to a dead board is logged and the channel switches all the same.
"""

from __future__ import annotations

import asyncio
import json
import logging
import re
import socket
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rig.control.address import ControlAddress, TcpAddress, read_control_address
from rig.control.token import token_for
from rig.errors import Misuse
from rig.ports import taking
from rig.twin.modbus import ModbusServer
from rig.twin.shelly import ShellyServer

log = logging.getLogger(__name__)

#: The supply, or a button of the board: its twin knows which it has.
_LINE = re.compile(r"[a-z][a-z0-9-]*", re.ASCII)

_WIRE_SECONDS = 2.0
#: Requests that wait while a board is dialled: the older ones go.
_MOST_PENDING = 64


@dataclass(frozen=True, slots=True)
class Wire:
    """What a channel switches: a line of the board whose control port is at `address`."""

    line: str
    address: ControlAddress

    def __str__(self) -> str:
        return f"{self.line}@{self.address}"

    @classmethod
    def parse(cls, text: str) -> Wire:
        """Read `LINE@unix:PATH` or `LINE@HOST:PORT`. Raises Misuse."""
        line, _, address = text.partition("@")
        try:
            where = read_control_address(address, "its address", "unix:core/control.sock")
        except Misuse as error:
            raise Misuse(f"wire {text!r} is not LINE@ADDRESS: {error.message}", hint=error.hint) from None
        if not _LINE.fullmatch(line):
            raise Misuse(f"wire {text!r} is not LINE@ADDRESS", hint="LINE is power, or a button of the board")
        return cls(line, where)

    def request(self, closed: bool) -> dict[str, Any]:
        """What a closed or open contact asks of the control port."""
        if self.line == "power":
            return {"do": "power", "on": closed}
        return {"do": self.line, "pressed": closed}


class Relay:
    """Channels and the wires behind them; boards on TCP are shown the token in `token_file`, or the one that is found.

    It lives on one asyncio loop.
    """

    def __init__(self, wires: list[Wire], token_file: Path | None = None):
        self.wires = wires
        self.closed = [wire.line == "power" for wire in wires]
        self._boards = {wire.address: _Board(wire.address, token_file) for wire in wires}

    async def sync_lines(self) -> None:
        """Bring every board's lines to where the contacts are: a relay that starts makes its boards feel it."""
        for channel, closed in enumerate(self.closed):
            self.switch(channel, closed)
        await self.settled()

    async def settled(self) -> None:
        """Wait until boards that are dialled have been told, or nobody answers."""
        await asyncio.gather(*(board.dialled() for board in self._boards.values()))

    def switch(self, channel: int, closed: bool) -> None:
        """Open or close a channel; the relay has answered before its board has noticed, as relays do."""
        self.closed[channel] = closed
        wire = self.wires[channel]
        self._send(wire, wire.request(closed))

    def _send(self, wire: Wire, request: dict[str, Any]) -> None:
        self._boards[wire.address].send(request)

    def close(self) -> None:
        """Let go of the wires; lines stay as they are."""
        for board in self._boards.values():
            board.close()


class _Board:
    """The control port at the other end of wires. What it is told leaves at once, or in order when it is dialled."""

    def __init__(self, address: ControlAddress, token_file: Path | None):
        self._address, self._token_file = address, token_file
        self._sock: socket.socket | None = None
        self._dialling: asyncio.Task[None] | None = None
        self._pending: deque[dict[str, Any]] = deque(maxlen=_MOST_PENDING)

    def send(self, request: dict[str, Any]) -> None:
        """Send a request; one that cannot be sent is logged."""
        if self._sock is not None and not _is_dead(self._sock):
            self._send(self._sock, request)
            return
        self._sock = None
        self._pending.append(request)
        if self._dialling is None:
            self._dialling = asyncio.get_running_loop().create_task(self._dial())

    async def dialled(self) -> None:
        """Wait until it has been dialled, where that is under way."""
        if self._dialling is not None:
            await self._dialling

    def close(self) -> None:
        """Hang up."""
        if self._dialling is not None:
            self._dialling.cancel()
        if self._sock is not None:
            self._sock.close()

    async def _dial(self) -> None:
        try:
            sock = await asyncio.to_thread(self._address.dial, _WIRE_SECONDS)
            sock.setblocking(False)
            while self._pending:
                self._send(sock, self._pending.popleft())
            self._sock = sock
        except OSError as error:
            self._nobody(error)
        finally:
            self._pending.clear()
            self._dialling = None

    def _send(self, sock: socket.socket, request: dict[str, Any]) -> None:
        try:
            if isinstance(self._address, TcpAddress):
                if (token := token_for(self._address, self._token_file)) is None:
                    raise Misuse("its token is not known", hint="--token-file FILE")
                request = {"token": token, **request}
            sock.sendall(json.dumps(request).encode() + b"\n")
        except (OSError, Misuse) as error:
            self._nobody(error)

    def _nobody(self, error: Exception) -> None:
        log.warning("nobody at the other end of the wires to %s: %s", self._address, error)


def _is_dead(sock: socket.socket) -> bool:
    """Whether the peer has hung up; what it answered meanwhile is thrown away."""
    try:
        while sock.recv(65536):
            pass
        dead = True
    except BlockingIOError:
        dead = False
    except OSError:
        dead = True
    if dead:
        sock.close()
    return dead


class _Channels:
    """Modbus coils that are the relay's channels."""

    def __init__(self, relay: Relay):
        self._relay = relay

    def read(self) -> Sequence[bool]:
        """Where the contacts are."""
        return self._relay.closed

    def write(self, address: int, values: Sequence[bool]) -> None:
        """Switch channels."""
        for offset, closed in enumerate(values):
            self._relay.switch(address + offset, closed)


class RelayServers:
    """Both protocols around one relay.

    With a `password` its HTTP asks for it, and Modbus has none to ask for; `names` are what HTTP clients may call this
    machine.
    """

    def __init__(self, relay: Relay, password: str | None = None, names: Sequence[str] = ()):
        self.relay = relay
        self._modbus = ModbusServer(_Channels(relay))
        self._shelly = ShellyServer(relay, password, names)

    async def start(self, host: str, modbus_port: int, http_port: int) -> dict[str, Any]:
        """Open both ports; returns the ready line. Raises LabFault when one is taken."""
        ready: dict[str, Any] = {"ready": True}
        for name, server, port in (("modbus", self._modbus, modbus_port), ("http", self._shelly, http_port)):
            with taking(host, port):
                ready[name] = {"host": host, "port": await server.start(host, port)}
        await self.relay.sync_lines()
        return ready

    async def close(self) -> None:
        """Close both ports; contacts stay as they are."""
        await self._shelly.close()
        self._modbus.close()
        self.relay.close()
