"""Update servers alone: served until a signal."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rig.errors import Misuse
from rig.lab.serving import serve
from rig.ports import read_address, taking
from rig.servers.spark.cloud import SparkCloud
from rig.servers.spark.control import CloudControl
from rig.servers.spark.core_keys import CoreKeys
from rig.servers.spark.faults import Fault
from rig.trust.server_key import load_server_key, make_server_key, public_der, store_server_key


def serve_spark_cloud(
    *, listen: str, control: str, server_key: Path, core_keys: Path, faults: list[str], announce: Any
) -> None:
    """Serve a Spark cloud until a signal; a key that is not there is made. Raises Misuse, LabFault."""
    addresses = [
        read_address(text, option, "127.0.0.1:5683", lowest=0)
        for option, text in (("--listen", listen), ("--control", control))
    ]
    planned = [Fault.parse(text) for text in faults]
    if not server_key.exists():
        try:
            server_key.parent.mkdir(parents=True, exist_ok=True)
            store_server_key(server_key, make_server_key())
        except OSError as error:
            raise Misuse(f"cannot write {server_key}: {error.strerror}") from error
    keys = CoreKeys(core_keys)
    key = load_server_key(server_key)
    started: list[Any] = []

    async def start() -> Mapping[str, Any]:
        cloud = SparkCloud(key, keys)
        for fault in planned:
            cloud.faults.add(fault)
        remote = CloudControl(cloud)
        started.extend((cloud, remote))
        ports = []
        for server, (host, port) in zip(started, addresses, strict=True):
            with taking(host, port):
                ports.append(await server.start(host, port))
        return {
            "ready": True,
            "listen": {"host": addresses[0][0], "port": ports[0]},
            "control": {"host": addresses[1][0], "port": ports[1]},
            "server_key": str(server_key),
            "public_key": public_der(key).hex(),
            "core_keys": str(core_keys),
        }

    async def close() -> None:
        for server in started:
            closing = server.close()
            if closing is not None:
                await closing

    serve(start, close, announce)
