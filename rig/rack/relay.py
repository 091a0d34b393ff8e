"""A relay board that is not there as a process: served until a signal."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rig.control.serving import serve, warn_of_open_port
from rig.files import read_secret
from rig.twin.relay import Relay, RelayServers, Wire


@dataclass(frozen=True, slots=True, kw_only=True)
class RelayPlan:
    """A relay board: what its channels switch, its ports, and who may drive it.

    Boards on TCP are shown the token in `token_file`; HTTP asks for the password in `password_file`, where there is
    one, and `names` are what its clients may call this machine.
    """

    wires: Sequence[str]
    host: str = "127.0.0.1"
    modbus_port: int = 0
    http_port: int = 0
    password_file: Path | None = None
    token_file: Path | None = None
    names: Sequence[str] = ()


def serve_relay(plan: RelayPlan) -> None:
    """Serve one relay board until a signal. Raises Misuse or LabFault before it is ready."""
    password = read_secret(plan.password_file) if plan.password_file is not None else None
    relay = Relay([Wire.parse(text) for text in plan.wires], plan.token_file)
    servers = RelayServers(relay, password, plan.names)
    warn_of_open_port("--host", plan.host, "whoever does switches every board's power")
    serve(lambda: servers.start(plan.host, plan.modbus_port, plan.http_port), servers.close)
