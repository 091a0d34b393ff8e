"""Endpoints of ours whose identities are swapped, each as one adapter: what checks_endpoint asks of all of them.

What an implementation has not is named in its `lacks`, with why.
"""

from __future__ import annotations

import socket
import ssl
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric import rsa

from rig.families.spark_core.formats.core_key_der import read_core_key
from rig.families.spark_core.formats.handshake import ANSWER_SIZE, NONCE_SIZE, Credentials, introduce, is_signed
from rig.families.spark_core.trust.core_key import make_core_key
from rig.families.spark_core.trust.server_key import make_server_key, public_der, store_server_key
from rig.servers.https.faults import Fault
from rig.trust.identity import Identity
from rig.trust.keys import make_key
from rig.trust.remote.nginx import RemoteNginx
from rig.trust.swappable import Swappable
from tests.rig.families.spark_core.servers.cloud_lab import CORE_ID, SERVER_KEY, SparkLab, spark_lab
from tests.rig.servers.https.https_lab import HOST, OTHER_HOST, HttpsLab, https_lab, read_all
from tests.rig.trust.remote.nginx_lab import NginxLab, nginx_lab
from tests.rig.trust.tls_dial import tls_dial, tls_leaf

LONG = bytes(range(256)) * 2000
DOWNLOADED = "downloaded"


def tls_shown(port: int, host: str) -> str:
    return sha256(tls_leaf(port, host)).hexdigest()


class OfTls:
    """What the two with certificates share; `port`, `folder`, `intermediate` and `ca` are their labs'."""

    def __init__(self, lab: HttpsLab | NginxLab):
        self.lab, self.folder = lab, lab.folder

    def shown(self) -> str:
        return tls_shown(self.lab.port, HOST)

    def others(self) -> str:
        return tls_shown(self.lab.port, OTHER_HOST)

    def another(self) -> Identity:
        return self.lab.intermediate.issue(HOST)

    def nonsense(self) -> Identity:
        return Identity(self.another().chain, make_key("p256"))

    def fingerprint(self, identity: Identity) -> str:
        return identity.fingerprint

    @contextmanager
    def running(self) -> Iterator[Callable[[], str]]:
        """A download that has begun; asked for, how it ended."""
        into, ended = self.folder / DOWNLOADED, []
        address = ["--resolve", f"{HOST}:{self.lab.port}:127.0.0.1", f"https://{HOST}:{self.lab.port}/{self.slow}"]
        command = ["curl", "-sS", "--max-time", "30", "--cacert", str(self.lab.ca), "-o", str(into), *address]
        download = threading.Thread(target=lambda: ended.append(subprocess.run(command, capture_output=True)))
        download.start()
        deadline = threading.Event()
        while not (into.exists() and into.stat().st_size) and download.is_alive():
            deadline.wait(0.01)

        def end() -> str:
            assert download.is_alive(), "it was over before it was asked for: nothing is proved"
            download.join()
            return ended[0].stderr.decode() or ("whole" if into.read_bytes() == self.slow_content else "damaged")

        yield end
        download.join()
        into.unlink(missing_ok=True)

    def resumes(self, version: ssl.TLSVersion, between: Callable[[], Any]) -> bool:
        """Whether a client comes back into the session it had before something happened."""
        context = ssl.create_default_context(cafile=str(self.lab.ca))
        context.minimum_version = context.maximum_version = version
        with tls_dial(self.lab.port, HOST, context) as first:
            first.sendall(f"GET / HTTP/1.0\r\nHost: {HOST}\r\n\r\n".encode())
            read_all(first)
            session = first.session
        between()
        with tls_dial(self.lab.port, HOST, context, session) as again:
            return bool(again.session_reused)


class UpdateServerHost(OfTls):
    """One host of the embedded update server, by its control port."""

    slow, slow_content = "slow.bin", LONG
    lacks: dict[str, str] = {}  # noqa: RUF012

    def __init__(self, lab: HttpsLab):
        super().__init__(lab)
        lab.publish(LONG, "/slow.bin")
        self._former: Identity | None = None

    def swap(self, identity: Identity, /) -> str:
        chain, key = self.folder / "swap.pem", self.folder / "swap.key"
        identity.store(chain, key)
        former = self.lab.server.endpoint.host(HOST).identity
        try:
            self.lab.client.swap_files(HOST, chain, key)
        finally:
            chain.unlink(), key.unlink()
        self._former = former
        return former.fingerprint

    def restore(self) -> str:
        assert self._former is not None
        return self.swap(self._former)

    @contextmanager
    def running(self) -> Iterator[Callable[[], str]]:
        self.lab.call(self.lab.server.faults.add, Fault("stall", 200_000, lasts=1.0))
        with super().running() as end:
            yield end

    def records(self) -> int:
        return len(self.lab.client.log("handshakes"))

    def kept(self) -> Any:
        return files(self.folder), sorted(self.lab.server.identities), len(self.lab.server.endpoint.hosts)


class NginxHost(OfTls):
    """A remote nginx, over SSH."""

    slow = "fw.bin"
    lacks = {  # noqa: RUF012
        "records": "nginx notes requests, and of handshakes only those that failed, without what was shown",
    }

    def __init__(self, lab: NginxLab, remote: RemoteNginx):
        super().__init__(lab)
        self._remote: Swappable[Identity] = remote
        self.swap, self.restore = self._remote.swap, self._remote.restore
        self.slow_content = (lab.web / "html" / "fw.bin").read_bytes()
        remote.swap(lab.intermediate.issue(HOST))  # from now on the files are links
        remote.swap(lab.intermediate.issue(HOST))

    def shown(self) -> str:
        shown = self._remote.shown()
        assert shown == super().shown()
        return shown

    def kept(self) -> Any:
        """What lies there; a release, which is named by what it holds, is any of them."""
        store, (chain, _key) = self.lab.releases(), self.lab.live()
        held = ["release" if path.is_dir() and not path.is_symlink() else path.name for path in store.iterdir()]
        return sorted(path.name for path in chain.parent.iterdir()), sorted(held), files(store)


class CloudKey:
    """The key that a Spark cloud shows one Core, by the control port. Another Core is to meet what it always met."""

    lacks = {"sessions": "a Core's handshake knows no sessions that could be resumed"}  # noqa: RUF012

    def __init__(self, lab: SparkLab):
        self.lab, self._known = lab, [SERVER_KEY]
        self._shown = SERVER_KEY
        self._cores = {CORE_ID: make_core_key(), "48ff6c065067555026310002": make_core_key()}
        for core_id, key in self._cores.items():
            lab.call(lab.cloud.core_keys.add, core_id, key.public_pem.encode())
        self._connected = 0
        lab.cloud.bus.subscribe(self._count)

    def _count(self, event: dict[str, Any]) -> None:
        self._connected += event["event"] == "connected"

    def shown(self) -> str:
        return self._meets(CORE_ID)

    def others(self) -> str:
        return self._meets("48ff6c065067555026310002")

    def _meets(self, core_id: str) -> str:
        """A Core cannot ask for a key, it holds one: so it comes with each that there may be."""
        met = [self.fingerprint(key) for key in self._known if self._is_taken(core_id, key)]
        return " and ".join(met) or "nobody it knows"

    def _is_taken(self, core_id: str, key: rsa.RSAPrivateKey) -> bool:
        with socket.create_connection(("127.0.0.1", self.lab.port), timeout=10) as sock:
            nonce = read_exactly(sock, NONCE_SIZE)
            sock.sendall(introduce(key.public_key(), nonce, bytes.fromhex(core_id)))
            reply = read_exactly(sock, ANSWER_SIZE)
        if not reply:
            return False
        raw = read_core_key(self._cores[core_id].private_der).decrypt(reply[:128])
        return raw is not None and is_signed(key.public_key(), Credentials(raw), reply)

    def another(self) -> rsa.RSAPrivateKey:
        return make_server_key()

    def nonsense(self) -> rsa.RSAPrivateKey:
        return rsa.generate_private_key(65537, 1024)

    def fingerprint(self, key: rsa.RSAPrivateKey) -> str:
        return sha256(public_der(key)).hexdigest()

    def swap(self, key: rsa.RSAPrivateKey, /) -> str:
        path = self.lab.folder / "swap.pem"
        store_server_key(path, key)
        try:
            self.lab.client.ask("swap-key", core=CORE_ID, file=str(path))
        finally:
            path.unlink()
        former, self._shown = self._shown, key
        self._known = [SERVER_KEY, former, key] if former is not SERVER_KEY else [SERVER_KEY, key]
        return self.fingerprint(former)

    def restore(self) -> str:
        self.lab.client.ask("restore-key", core=CORE_ID)
        former, self._shown = self._shown, SERVER_KEY
        return self.fingerprint(former)

    @contextmanager
    def running(self) -> Iterator[Callable[[], str]]:
        """A Core that is online, whose key is swapped too; asked for, whether it still is, by the same connection."""
        core_id = "48ff6c065067555026310003"
        self.lab.core("0.2.1", core_id=core_id)
        since = self.lab.online(core_id)["since"]
        self.lab.client.ask("swap-key", core=core_id)

        def end() -> str:
            now = self.lab.online(core_id)["since"]
            return "whole" if now == since else "it connected anew"

        yield end

    def records(self) -> int:
        return self._connected

    def kept(self) -> Any:
        return files(self.lab.folder), len(self.lab.cloud._own_keys)


def files(folder: Path, pattern: str = "**/*") -> list[str]:
    return sorted(path.name for path in folder.glob(pattern) if path.is_file() and path.name != DOWNLOADED)


def read_exactly(sock: socket.socket, size: int) -> bytes:
    """So many bytes, or none when the other end hangs up before."""
    data = b""
    while len(data) < size:
        try:
            more = sock.recv(size - len(data))
        except OSError:
            more = b""
        if not more:
            return b""
        data += more
    return data


@contextmanager
def update_server(folder: Path) -> Iterator[UpdateServerHost]:
    with https_lab(folder) as lab:
        yield UpdateServerHost(lab)


@contextmanager
def spark_cloud(folder: Path) -> Iterator[CloudKey]:
    with spark_lab(folder) as lab:
        yield CloudKey(lab)


@contextmanager
def nginx_over_ssh(folder: Path) -> Iterator[NginxHost]:
    with nginx_lab(folder) as lab, lab.remote() as remote:
        yield NginxHost(lab, remote)


IMPLEMENTATIONS = {"update server": update_server, "Spark cloud": spark_cloud, "remote nginx": nginx_over_ssh}
