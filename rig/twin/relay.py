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

from aiohttp import web
from pyModbusTCP.server import DataBank, ModbusServer

from rig.control.address import ControlAddress, TcpAddress, read_control_address
from rig.control.token import token_for
from rig.control.web_pages import WebPages
from rig.errors import LabFault, Misuse
from rig.ports import free_port, taking

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


class _Coils(DataBank):  # type: ignore[misc]
    """Modbus coils that are the relay's channels."""

    def __init__(self, relay: Relay):
        super().__init__(coils_size=len(relay.wires), d_inputs_size=0, h_regs_size=0, i_regs_size=0)
        self._relay = relay

    def get_coils(self, address: int, number: int = 1, srv_info: Any = None) -> list[bool] | None:
        """Read channels back; None (illegal address) beyond the last."""
        states = self._relay.closed[address : address + number]
        return states if len(states) == number else None

    def set_coils(self, address: int, bit_list: list[bool], srv_info: Any = None) -> bool | None:
        """Switch channels; None (illegal address) beyond the last."""
        if address + len(bit_list) > len(self._relay.wires):
            return None
        for offset, closed in enumerate(bit_list):
            self._relay.switch(address + offset, bool(closed))
        return True


class RelayServers:
    """Both protocols around one relay; `names` are what HTTP clients may call this machine."""

    def __init__(self, relay: Relay, names: Sequence[str] = ()):
        self.relay, self._names = relay, names
        self._pages = WebPages()
        self._modbus: ModbusServer | None = None
        self._runner: web.AppRunner | None = None

    async def start(self, host: str, modbus_port: int, http_port: int) -> dict[str, Any]:
        """Open both ports; returns the ready line. Raises LabFault when one is taken."""
        modbus_port = modbus_port or free_port(host)
        self._modbus = ModbusServer(host=host, port=modbus_port, no_block=True, data_bank=_Coils(self.relay))
        try:
            self._modbus.start()
        except ModbusServer.NetworkError as error:
            raise LabFault(
                f"cannot listen on {host}:{modbus_port}: {error}", hint="is it free? Port 0 takes one that is"
            ) from error
        self._pages = WebPages(host, self._names)
        app = web.Application()
        app.router.add_post("/rpc", self._rpc)
        self._runner = web.AppRunner(app, access_log=None)
        await self._runner.setup()
        site = web.TCPSite(self._runner, host, http_port)
        with taking(host, http_port):
            await site.start()
        await asyncio.to_thread(self.relay.rest)
        return {
            "ready": True,
            "modbus": {"host": host, "port": modbus_port},
            "http": {"host": host, "port": self._runner.addresses[0][1]},
        }

    async def close(self) -> None:
        """Close both ports; contacts stay as they are."""
        if self._runner is not None:
            await self._runner.cleanup()
        if self._modbus is not None:
            self._modbus.stop()

    async def _rpc(self, request: web.Request) -> web.Response:
        """Switch.Set and Switch.GetStatus of Shelly's Gen2 RPC over HTTP POST, for who is no web page."""
        if reason := self._pages.refusal(request.headers):
            return web.json_response({"error": {"code": 403, "message": reason}}, status=403)
        try:
            call = json.loads(await request.text())
            method, channel = call["method"], int(call["params"]["id"])
            if not 0 <= channel < len(self.relay.wires):
                return self._reply(call, error={"code": -105, "message": f"no switch {channel!r}"})
            if method == "Switch.Set":
                was = self.relay.closed[channel]
                self.relay.switch(channel, bool(call["params"]["on"]))
                return self._reply(call, result={"was_on": was})
            if method == "Switch.GetStatus":
                return self._reply(call, result={"id": channel, "output": self.relay.closed[channel]})
        except (ValueError, KeyError, TypeError) as error:
            return web.json_response({"error": {"code": -103, "message": f"bad request: {error}"}}, status=400)
        return self._reply(call, error={"code": 404, "message": f"no handler for {method!r}"})

    def _reply(self, call: dict[str, Any], **content: dict[str, Any]) -> web.Response:
        status = 500 if "error" in content else 200
        return web.json_response({"id": call.get("id"), "src": "twin-relay", **content}, status=status)
