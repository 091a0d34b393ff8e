"""Update servers alone: served until a signal."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from rig import escape
from rig.errors import Misuse
from rig.files import is_there, make_folder, writing
from rig.lab.serving import serve
from rig.ports import read_address, taking
from rig.servers.spark.api.guard import is_loopback
from rig.servers.spark.api.server import RestApi
from rig.servers.spark.api.token import AccessToken
from rig.servers.spark.cloud import SparkCloud
from rig.servers.spark.control import CloudControl
from rig.servers.spark.core_keys import CoreKeys
from rig.servers.spark.events import Event
from rig.servers.spark.faults import Fault
from rig.trust.server_key import load_server_key, make_server_key, public_der, store_server_key
from rig.twin.state_folder import keep, kept


def serve_spark_cloud(
    *,
    listen: str,
    control: str,
    server_key: Path,
    core_keys: Path,
    faults: list[str],
    announce: Any,
    api: str | None = None,
) -> None:
    """Serve a Spark cloud until a signal; a key that is not there is made. Raises Misuse, LabFault.

    The key's public half is kept beside it, for Cores to know, and so is the access token of the `api`, where there is
    to be one. The log names each Core once that has no key in
    `core_keys` and tries all the same.
    """
    addresses = [
        read_address(text, option, "127.0.0.1:5683", lowest=0)
        for option, text in (("--listen", listen), ("--control", control))
    ]
    api_address = read_address(api, "--api", "127.0.0.1:8080", lowest=0) if api is not None else None
    planned = [Fault.parse(text) for text in faults]
    if not is_there(server_key):
        make_folder(server_key.parent)
        with writing(server_key):
            store_server_key(server_key, make_server_key())
    keys = CoreKeys(core_keys)
    key = load_server_key(server_key)
    public = _keep_public_half(server_key, key)
    token = AccessToken(server_key.with_suffix(".token")) if api_address is not None else None
    if api_address is not None and not is_loopback(api_address[0]):
        _warn_of_an_open_door(api_address[0])
    started: list[Any] = []

    async def start() -> Mapping[str, Any]:
        cloud = SparkCloud(key, keys)
        cloud.bus.subscribe(_Strangers(core_keys).hear)
        for fault in planned:
            cloud.faults.add(fault)
        remote = CloudControl(cloud)
        started.extend((cloud, remote))
        ports = []
        for server, (host, port) in zip(started, addresses, strict=True):
            with taking(host, port):
                ports.append(await server.start(host, port))
        rest = None
        if api_address is not None and token is not None:
            server = RestApi(cloud, token)
            started.insert(0, server)
            with taking(*api_address):
                port = await server.start(*api_address)
            rest = {"host": api_address[0], "port": port, "token_file": str(token.path)}
        return {
            "ready": True,
            "listen": {"host": addresses[0][0], "port": ports[0]},
            "control": {"host": addresses[1][0], "port": ports[1]},
            "server_key": str(server_key),
            "public_key": public_der(key).hex(),
            "public_key_file": str(public) if public is not None else None,
            "core_keys": str(core_keys),
            "api": rest,
        }

    async def close() -> None:
        for server in started:
            closing = server.close()
            if closing is not None:
                await closing

    serve(start, close, announce)


def _warn_of_an_open_door(host: str) -> None:
    """The token and what is sent go over the network as they are."""
    told = (
        f"rig: warning: --api {host}: whoever hears the network there can read the access token, and flash your Cores"
    )
    print(escape.terminal(told), file=sys.stderr)


def _keep_public_half(server_key: Path, key: rsa.RSAPrivateKey) -> Path | None:
    """Write the public half beside a key; None where that folder takes no file, as one of secrets may not."""
    path = server_key.with_suffix(".pub.pem")
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    pem = key.public_key().public_bytes(serialization.Encoding.PEM, form)
    try:
        if kept(path) != pem:
            keep(path, pem)
    except Misuse:
        return None
    return path


class _Strangers:
    """Names Cores on the log that try without a key of theirs being known, each once."""

    #: Whoever has the server's public half can make ids up.
    MOST = 1000

    def __init__(self, core_keys: Path):
        self._core_keys = core_keys
        self._named: set[str] = set()

    def hear(self, event: Event) -> None:
        """Something happened in the cloud."""
        core_id = event["core"]
        if event["event"] != "unknown-core" or core_id in self._named or len(self._named) >= self.MOST:
            return
        self._named.add(core_id)
        where = self._core_keys / f"{core_id}.pub.pem"
        told = f"rig: Core {core_id} keeps trying, and its key is not known (hint: put its public key in {where})"
        print(escape.terminal(told), file=sys.stderr, flush=True)
