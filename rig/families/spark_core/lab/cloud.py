"""Update servers alone: served until a signal."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from rig import escape
from rig.control.serving import listening, serve, warn_of_open_port
from rig.control.socket_options import control_socket_at
from rig.errors import Misuse
from rig.families.spark_core.servers.api.server import RestApi
from rig.families.spark_core.servers.api.token import AccessToken
from rig.families.spark_core.servers.cloud import SparkCloud
from rig.families.spark_core.servers.control import CloudControl
from rig.families.spark_core.servers.core_keys import CoreKeys
from rig.families.spark_core.servers.events import Event
from rig.families.spark_core.servers.faults import Fault
from rig.families.spark_core.trust.server_key import load_server_key, make_server_key, public_der, store_server_key
from rig.files import is_there, make_folder, writing
from rig.ports import read_address
from rig.servers.allowed_files import AllowedFiles
from rig.state_folder import keep, kept

#: The access token is beside the server's key.
TOKEN_SUFFIX = ".token"


@dataclass(frozen=True, slots=True)
class SparkCloudPlan:
    """What to serve where: addresses are `HOST:PORT`, port 0 takes a free one; no `api` without an address for it.

    `control` may be `unix:PATH` too. On TCP it wants the token in `token_file`, or one that is made. Requests may name
    files in the folders `files`, and no others; `names` are what HTTP clients may call this machine.

    `server_key` is made when it is not there. Its public half is kept beside it, for Cores to know, and so is the
    access token of the `api`. `core_keys` is a folder with ID.pub.pem for each Core.
    """

    listen: str
    control: str
    server_key: Path
    core_keys: Path
    faults: Sequence[str] = ()
    api: str | None = None
    token_file: Path | None = None
    files: Sequence[Path] = ()
    names: Sequence[str] = ()


def serve_spark_cloud(plan: SparkCloudPlan, announce: Any) -> None:
    """Serve a Spark cloud until a signal. Raises Misuse, LabFault.

    The log names each Core once that has no key in `core_keys` and tries all the same.
    """
    listen = _address("--listen", plan.listen)
    control_socket, given = control_socket_at(plan.control, plan.token_file), AllowedFiles(plan.files)
    api = _address("--api", plan.api, "127.0.0.1:8080") if plan.api is not None else None
    faults = [Fault.parse(text) for text in plan.faults]
    if api is not None and plan.server_key.suffix == TOKEN_SUFFIX:
        raise Misuse(
            f"--server-key {plan.server_key}: the access token has a file of this name", hint="name it NAME.pem"
        )
    _make_if_missing(plan.server_key)
    keys, key = CoreKeys(plan.core_keys), load_server_key(plan.server_key)
    token = AccessToken(plan.server_key.with_suffix(TOKEN_SUFFIX)) if api is not None else None
    public = _keep_public_half(plan.server_key, key)
    if api is not None:
        warn_of_open_port("--api", api[0], "who hears the network there can read the token, and flash your Cores")
    started: list[Any] = []

    async def start() -> Mapping[str, Any]:
        cloud = SparkCloud(key, keys)
        cloud.bus.subscribe(_Strangers(plan.core_keys).hear)
        for fault in faults:
            cloud.faults.add(fault)
        remote = CloudControl(cloud, given)
        started.extend((cloud, remote))
        places = {"listen": await listening(cloud.start, listen), "control": await remote.start(control_socket)}
        rest = None
        if api is not None and token is not None:
            server = RestApi(cloud, token, plan.names)
            started.insert(0, server)
            rest = {**await listening(server.start, api), "token_file": str(token.path)}
        return {
            "ready": True,
            **places,
            "server_key": str(plan.server_key),
            "public_key": public_der(key).hex(),
            "public_key_file": str(public) if public is not None else None,
            "core_keys": str(plan.core_keys),
            "api": rest,
        }

    async def close() -> None:
        for server in started:
            closing = server.close()
            if closing is not None:
                await closing
        if token is not None:
            token.close()

    serve(start, close, announce)


def _address(option: str, text: str, example: str = "127.0.0.1:5683") -> tuple[str, int]:
    return read_address(text, option, example, lowest=0)


def _make_if_missing(server_key: Path) -> None:
    if not is_there(server_key):
        make_folder(server_key.parent)
        with writing(server_key):
            store_server_key(server_key, make_server_key())


def _keep_public_half(server_key: Path, key: rsa.RSAPrivateKey) -> Path | None:
    """Write the public half beside a key; None where that folder takes no file, as one of secrets may not."""
    path = server_key.with_suffix(".pub.pem")
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    pem = key.public_key().public_bytes(serialization.Encoding.PEM, form)
    try:
        if kept(path) != pem:
            keep(path, pem, 0o644)
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
        text = f"rig: Core {core_id} keeps trying, and its key is not known (hint: put its public key in {where})"
        print(escape.terminal(text), file=sys.stderr, flush=True)
