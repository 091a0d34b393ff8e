"""The HTTPS update server alone: served until a signal."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from rig.control.address import TcpAddress
from rig.control.control_socket import ControlSocket
from rig.control.serving import listening, serve
from rig.control.socket_options import control_socket_at
from rig.errors import Misuse
from rig.files import is_there, read_user_file
from rig.ports import read_address, taking
from rig.servers.allowed_files import AllowedFiles
from rig.servers.https.control import UpdateServerControl
from rig.servers.https.faults import Fault
from rig.servers.https.identities import HostIdentities
from rig.servers.https.published_files import MOST_BYTES
from rig.servers.https.server import UpdateServer
from rig.servers.time_server import TimeServer
from rig.state_folder import FolderLock, state_folder
from rig.trust.identity import Identity
from rig.trust.recipe import IdentityRecipe, read_recipe


@dataclass(frozen=True, slots=True)
class HttpsCloudPlan:
    """What to serve where: addresses are `HOST:PORT`, port 0 takes a free one; `publish` are `FILE` or `PATH=FILE`.

    `control` may be `unix:PATH` too. On TCP it wants the token in `token_file`, or one that is made. Requests may name
    files in the folders `files`, and no others.

    `hosts` are `NAME` or `NAME=AUTHORITY`, for who issues a host's first identity.
    """

    listen: str
    control: str
    state: Path
    hosts: Sequence[str]
    plain: str | None = None
    time: str | None = None
    publish: Sequence[str] = ()
    faults: Sequence[str] = ()
    token_file: Path | None = None
    files: Sequence[Path] = ()


def serve_https_cloud(plan: HttpsCloudPlan, announce: Any) -> None:
    """Serve until a signal; identities that are not in the state folder are made. Raises Misuse, LabFault."""
    wanted = [("--listen", plan.listen)]
    wanted += [("--plain", plan.plain)] if plan.plain is not None else []
    wanted += [("--time", plan.time)] if plan.time is not None else []
    addresses = {option: read_address(text, option, "127.0.0.1:8443", lowest=0) for option, text in wanted}
    faults = [Fault.parse(text) for text in plan.faults]
    files = [_published(text) for text in plan.publish]
    if not plan.hosts:
        raise Misuse("an update server needs a name", hint="--host ota.rig.test")
    control_socket, given = control_socket_at(plan.control, plan.token_file), AllowedFiles(plan.files)
    asyncio.run(_check_ports(addresses | _of(control_socket)))
    lock = _hold(plan.state)
    made = HostIdentities(plan.state)
    identities = dict(_identified(text, made) for text in plan.hosts)
    issued = made.issued()
    started: list[Any] = []

    async def start() -> Mapping[str, Any]:
        server = UpdateServer(identities)
        server.identities = {**issued, **server.identities}
        for fault in faults:
            server.faults.add(fault)
        for path, content in files:
            server.files.publish(path, content)
        clock = TimeServer()
        remote = UpdateServerControl(server, made, clock, given)
        started.extend((server, clock, remote))
        starters = {"--listen": server.start, "--plain": server.start_plain, "--time": clock.start}
        ports: dict[str, dict[str, Any]] = {}
        for option, address in addresses.items():
            ports[option] = await listening(starters[option], address)
        return {
            "ready": True,
            "listen": ports["--listen"],
            "plain": ports.get("--plain"),
            "time": ports.get("--time"),
            "control": await remote.start(control_socket),
            "ca": str(made.ca),
            "trust": str(made.trust),
            "hosts": list(identities),
        }

    async def close() -> None:
        for server in reversed(started):
            await server.close()
        lock.close()

    serve(start, close, announce)


def _of(control_socket: ControlSocket) -> dict[str, tuple[str, int]]:
    """Its address where it is on TCP, as the others' are."""
    address = control_socket.address
    return {"--control": (address.host, address.port)} if isinstance(address, TcpAddress) else {}


async def _check_ports(addresses: Mapping[str, tuple[str, int]]) -> None:
    """Raises LabFault for a port that cannot be had, before anything is written for who would listen there."""
    loop = asyncio.get_running_loop()
    for option, (host, port) in addresses.items():
        with taking(host, port):
            if option == "--time":
                transport, _ = await loop.create_datagram_endpoint(asyncio.DatagramProtocol, (host, port))
                transport.close()
            else:
                (await loop.create_server(asyncio.Protocol, host, port)).close()


def _hold(folder: Path) -> FolderLock:
    """Keep a state folder from other servers until this one ends. Raises Misuse."""
    state_folder(folder)
    try:
        return FolderLock(folder)
    except Misuse:
        raise Misuse(
            f"another server has the state folder {folder}", hint="stop that one, or name another with --state"
        ) from None


def _identified(text: str, made: HostIdentities) -> tuple[str, Identity]:
    """A host and its first identity, of `NAME` or `NAME=AUTHORITY`. Raises Misuse."""
    host, _, authority = text.partition("=")
    recipe = read_recipe({"under": authority}, f"--host {text}") if authority else IdentityRecipe()
    return host.lower(), made.of(host, recipe)


def _published(text: str) -> tuple[str, bytes]:
    """A path and what is there, of `FILE` or `PATH=FILE`; both may have a `=` in them. Raises Misuse."""
    splits = [("", text), *((text[:at], text[at + 1 :]) for at, char in enumerate(text) if char == "=")]
    path, name = next((split for split in splits if is_there(Path(split[1]))), splits[-1])
    return path or f"/{quote(os.fsencode(Path(name).name))}", read_user_file(Path(name), MOST_BYTES)
