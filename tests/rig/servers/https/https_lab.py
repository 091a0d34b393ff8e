"""An update server on real TCP in this process, and real clients: curl, OpenSSL's s_client, Python's ssl, mbedTLS."""

from __future__ import annotations

import contextlib
import os
import re
import socket
import ssl
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rig.drivers.https_cloud import HttpsCloudClient
from rig.servers.allowed_files import AllowedFiles
from rig.servers.https.control import UpdateServerControl
from rig.servers.https.server import UpdateServer
from rig.trust.authority import Authority, make_root
from rig.trust.identity import pem
from tests.rig.control.control_ports import door_in
from tests.rig.installed import installed
from tests.rig.loop_thread import LoopThread
from tests.rig.trust.tls_dial import tls_dial
from tests.rig.waiting import HANGS

HOST, OTHER_HOST = "ota.rig.test", "ota9.rig.test"
DEVICE = "3c71bf000001"
#: What is served as /fw.bin, and where a release is made of it, backwards as the old one.
IMAGE = b"\xe9" + os.urandom(99_999)


@dataclass(frozen=True)
class Reply:
    """What curl got."""

    exit_status: int
    http: str
    status: int
    headers: dict[str, str]
    body: bytes


class HttpsLab(LoopThread):
    """Two hosts under one root and intermediate."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.root = make_root("Lab Root")
        self.intermediate = self.root.intermediate("Lab Intermediate")
        self.ca = self.trust(self.root)
        super().__init__()
        self.server: UpdateServer = self.call(
            UpdateServer, {host: self.intermediate.issue(host) for host in (HOST, OTHER_HOST)}
        )
        self.control = UpdateServerControl(self.server, given=AllowedFiles([folder]))
        self.port = self.run(self.server.start("127.0.0.1", 0))
        self.plain_port = self.run(self.server.start_plain("127.0.0.1", 0))
        self.ready = self.run(self.control.start(door_in(folder)))
        self.client = HttpsCloudClient.at(self.ready["address"])

    def trust(self, authority: Authority) -> Path:
        """A file with an authority's certificate."""
        path = self.folder / f"{authority.certificate.fingerprint(ssl_hash()).hex()[:16]}.pem"
        path.write_bytes(pem(authority.certificate))
        return path

    def swap(self, authority: Authority, host: str = HOST, **how: Any) -> None:
        self.call(self.server.swap, host, authority.issue(host, **how))

    def publish(self, data: bytes, path: str = "/fw.bin") -> bytes:
        self.call(self.server.files.publish, path, data)
        return data

    def curl(self, path: str = "/fw.bin", *words: str, host: str = HOST, ca: Path | None = None) -> Reply:
        address = ["--resolve", f"{host}:{self.port}:127.0.0.1", f"https://{host}:{self.port}{path}"]
        head = self.folder / "head.txt"
        head.write_bytes(b"")
        command = [
            installed("curl"),
            "-sS",
            "--max-time",
            "20",
            "--cacert",
            str(ca or self.ca),
            "-D",
            str(head),
            *words,
            *address,
        ]
        done = subprocess.run(command, capture_output=True, timeout=HANGS)
        first, *rest = head.read_text("latin-1").splitlines() or [""]
        found = re.match(r"HTTP/(\S+) (\d+)", first)
        headers = {line.partition(":")[0].lower(): line.partition(":")[2].strip() for line in rest if ":" in line}
        http, status = found.groups() if found else ("", "0")
        body = b"" if "-I" in words else done.stdout
        return Reply(done.returncode, http, int(status), headers, body)

    def dial(self, host: str = HOST, ca: Path | None = None, **settings: Any) -> ssl.SSLSocket:
        """A connection of Python's; its session is asked for again where one is given."""
        session = settings.pop("session", None)
        context = settings.pop("context", None) or ssl.create_default_context(cafile=str(ca or self.ca))
        for name, value in settings.items():
            setattr(context, name, value)
        return tls_dial(self.port, host, context, session)

    def ask(self, text: str, *, plain: bool = False) -> bytes:
        """All that is said to a request that is written by hand."""
        sock = socket.create_connection(("127.0.0.1", self.plain_port), timeout=10) if plain else self.dial()
        with sock:
            sock.sendall(text.replace("\n", "\r\n").encode())
            return read_all(sock)

    def handshakes(self, count: int, *, ended: bool = False, seconds: float = 10) -> list[dict[str, Any]]:
        """The records of the first `count` handshakes, when there are so many; with `ended`, when they are over."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            entries = self.client.log("handshakes")
            over = [each for each in entries if each["ending"] or each["outcome"] != "completed"]
            if len(over if ended else entries) >= count:
                return entries
            time.sleep(0.01)
        raise TimeoutError(f"{count} handshakes did not end in {seconds} s: {entries}")

    def close(self) -> None:
        self.run(self.control.close())
        self.run(self.server.close())
        super().close()


def ssl_hash() -> Any:
    from cryptography.hazmat.primitives import hashes

    return hashes.SHA256()


def https_lab(folder: Path) -> closing[HttpsLab]:
    """One that ends with the block."""
    return closing(HttpsLab(folder))


@contextmanager
def publishing_lab(folder: Path) -> Iterator[HttpsLab]:
    """One that serves IMAGE as /fw.bin; it and another are at hand as new.bin and old.bin."""
    with https_lab(folder) as lab:
        lab.publish(IMAGE)
        (folder / "new.bin").write_bytes(IMAGE)
        (folder / "old.bin").write_bytes(IMAGE[::-1])
        yield lab


def read_all(sock: socket.socket) -> bytes:
    """Everything until the other end hangs up, this way or that."""
    data = b""
    with contextlib.suppress(OSError):
        while more := sock.recv(65536):
            data += more
    return data
