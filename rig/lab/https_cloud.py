"""The HTTPS update server alone: served until a signal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rig.errors import LabFault, Misuse
from rig.lab.serving import serve
from rig.ports import read_address
from rig.servers.https.control import UpdateServerControl
from rig.servers.https.faults import Fault
from rig.servers.https.identities import HostIdentities
from rig.servers.https.server import UpdateServer
from rig.servers.https.shelf import read_image


@dataclass(frozen=True, slots=True)
class HttpsCloudPlan:
    """What to serve where: addresses are `HOST:PORT`, port 0 takes a free one; `publish` are `FILE` or `PATH=FILE`."""

    listen: str
    control: str
    state: Path
    hosts: Sequence[str]
    plain: str | None = None
    publish: Sequence[str] = ()
    faults: Sequence[str] = ()


def serve_https_cloud(plan: HttpsCloudPlan, announce: Any) -> None:
    """Serve until a signal; identities that are not in the state folder are made. Raises Misuse, LabFault."""
    listening = [("--listen", plan.listen), ("--control", plan.control)]
    listening += [("--plain", plan.plain)] if plan.plain is not None else []
    addresses = {option: read_address(text, option, "127.0.0.1:8443", lowest=0) for option, text in listening}
    faults = [Fault.parse(text) for text in plan.faults]
    files = [_published(text) for text in plan.publish]
    if not plan.hosts:
        raise Misuse("an update server needs a name", hint="--host ota.rig.test")
    made = HostIdentities(plan.state)
    identities = {host.lower(): made.of(host) for host in plan.hosts}
    started: list[Any] = []

    async def start() -> Mapping[str, Any]:
        server = UpdateServer(identities)
        for fault in faults:
            server.faults.add(fault)
        for path, content in files:
            server.shelf.publish(path, content)
        remote = UpdateServerControl(server, made)
        started.extend((server, remote))
        starters = {"--listen": server.start, "--control": remote.start, "--plain": server.start_plain}
        ports: dict[str, dict[str, Any]] = {}
        for option, (host, port) in addresses.items():
            try:
                ports[option] = {"host": host, "port": await starters[option](host, port)}
            except OSError as error:
                raise LabFault(
                    f"cannot listen on {host}:{port}: {error.strerror}", hint="port 0 takes a free one"
                ) from error
        return {
            "ready": True,
            "listen": ports["--listen"],
            "plain": ports.get("--plain"),
            "control": ports["--control"],
            "ca": str(made.ca),
            "hosts": list(identities),
        }

    async def close() -> None:
        for server in reversed(started):
            await server.close()

    serve(start, close, announce)


def _published(text: str) -> tuple[str, bytes]:
    """A path and what is there, of `FILE` or `PATH=FILE`. Raises Misuse."""
    path, _, name = text.rpartition("=")
    return path or f"/{Path(name).name}", read_image(Path(name))
