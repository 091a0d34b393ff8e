"""A relay board that is not there: channels wired to lines of twins, driven over Modbus TCP and over Shelly's HTTP RPC.

Both protocols see the same channels, as both hands of a lab do: cuts go by Modbus, people by HTTP. Like a real relay it
does not know what hangs on it: a wire to a dead board is logged and the channel switches all the same.
"""

from __future__ import annotations

import asyncio
import json
import logging
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Any

from rig.control.address import ControlAddress, TcpAddress, read_control_address
from rig.control.token import token_for
from rig.errors import Misuse
from rig.ports import taking
from rig.twin.modbus import ModbusServer
from rig.twin.shelly import ShellyServer

log = logging.getLogger(__name__)

LINES = ("power", "mode", "reset", "boot")

_WIRE_SECONDS = 2.0


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
        if line not in LINES:
            raise Misuse(f"wire {text!r} is not LINE@ADDRESS", hint=f"LINE is one of {', '.join(LINES)}")
        return cls(line, where)

    def request(self, closed: bool) -> dict[str, Any]:
        """What a closed or open contact asks of the control port."""
        if self.line == "power":
            return {"do": "power", "on": closed}
        return {"do": self.line, "pressed": closed}


class Relay:
    """Channels and the wires behind them; boards on TCP are shown the token in `token_file`, or the one that is found.

    Safe to call from any thread.
    """

    def __init__(self, wires: list[Wire], token_file: Path | None = None):
        self.wires, self._token_file = wires, token_file
        self.closed = [wire.line == "power" for wire in wires]
        self._sockets: dict[ControlAddress, socket.socket] = {}
        self._lock = Lock()

    def rest(self) -> None:
        """Bring every board's lines to where the contacts are: a relay that starts makes its boards feel it."""
        for channel, closed in enumerate(self.closed):
            self.switch(channel, closed)

    def switch(self, channel: int, closed: bool) -> None:
        """Open or close a channel; the relay has answered before its board has noticed, as relays do."""
        with self._lock:
            self.closed[channel] = closed
            wire = self.wires[channel]
            try:
                self._tell(wire, wire.request(closed))
            except (OSError, Misuse) as error:
                log.warning("channel %d: nobody at the other end of %s: %s", channel, wire, error)

    def _tell(self, wire: Wire, request: dict[str, Any]) -> None:
        sock = self._sockets.get(wire.address)
        if sock is None or _is_dead(sock):
            sock = self._sockets[wire.address] = wire.address.dial(_WIRE_SECONDS)
            sock.setblocking(False)
        if isinstance(wire.address, TcpAddress):
            if (token := token_for(wire.address, self._token_file)) is None:
                raise Misuse("its token is not known", hint="--token-file FILE")
            request = {**request, "token": token}
        sock.sendall(json.dumps(request).encode() + b"\n")


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
        await asyncio.to_thread(self.relay.rest)
        return ready

    async def close(self) -> None:
        """Close both ports; contacts stay as they are."""
        await self._shelly.close()
        self._modbus.close()
