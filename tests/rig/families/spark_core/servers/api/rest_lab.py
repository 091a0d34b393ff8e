"""The API of a Spark cloud with Cores of the twin's make, in this process, and the clients that ask it."""

from __future__ import annotations

import contextlib
import http.client
import json
import socket
import urllib.parse
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rig.families.spark_core.servers.api.server import RestApi
from rig.families.spark_core.servers.api.token import AccessToken
from tests.rig.families.spark_core.servers.cloud_lab import CORE_ID, SparkLab
from tests.rig.waiting import HANGS

OTHER_ID = "48ff6c065067555026310002"
BOUNDARY = "a-line-between"


class Answer:
    """What came back."""

    def __init__(self, status: int, body: bytes, headers: Any = None):
        self.status, self.body, self.headers = status, body, headers

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def error(self) -> tuple[int, str]:
        return self.status, self.json.get("error")


class RestLab(SparkLab):
    """A lab whose cloud has an API; `ask` does what a client with the token does."""

    def __init__(self, folder: Path):
        super().__init__(folder)
        self.token = AccessToken(folder / "server.token")
        self.api = self.call(RestApi, self.cloud, self.token)
        self.api_port = self.run(self.api.start("127.0.0.1", 0))

    def ask(self, method: str, path: str, form: Any = None, *, token: str | None = "", **headers: str) -> Answer:
        """Ask something with a form, or with bytes as they are; the token goes in a header unless it is None."""
        said = {name.replace("_", "-"): value for name, value in headers.items()}
        if token is not None:
            said["Authorization"] = f"Bearer {token or self.token.value}"
        body = form
        if isinstance(form, dict):
            body = urllib.parse.urlencode(form)
            said.setdefault("Content-Type", "application/x-www-form-urlencoded")
        with contextlib.closing(http.client.HTTPConnection("127.0.0.1", self.api_port, timeout=HANGS)) as connection:
            connection.request(method, path, body, said)
            answer = connection.getresponse()
            return Answer(answer.status, answer.read(), answer.headers)

    def flash(self, image: bytes, device: str = CORE_ID, name: str = "new.bin", query: str = "", **text: str) -> Answer:
        """PUT an image as curl's -F does."""
        body = multipart({"file": (name, image)}, text)
        kind = f"multipart/form-data; boundary={BOUNDARY}"
        return self.ask("PUT", f"/v1/devices/{device}{query}", body, Content_Type=kind)

    @contextmanager
    def stream(self, path: str) -> Iterator[Stream]:
        """Events as they come."""
        with socket.create_connection(("127.0.0.1", self.api_port), timeout=20) as sock:
            head = f"GET {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {self.token.value}\r\n\r\n"
            sock.sendall(head.encode())
            answer = http.client.HTTPResponse(sock, method="GET")
            answer.begin()
            yield Stream(answer)

    def raw(self, data: bytes, *, ends: bool = False) -> bytes:
        """All that comes back for bytes of somebody's own."""
        with socket.create_connection(("127.0.0.1", self.api_port), timeout=30) as sock:
            with contextlib.suppress(OSError):  # the server may have hung up by now
                sock.sendall(data)
                if ends:
                    sock.shutdown(socket.SHUT_WR)
            said = b""
            with contextlib.suppress(ConnectionError):
                while got := sock.recv(65536):
                    said += got
            return said

    def close(self) -> None:
        self.run(self.api.close())
        super().close()


class Stream:
    """Server-sent events, read one by one."""

    def __init__(self, answer: http.client.HTTPResponse):
        self.answer = answer
        self.first = answer.readline()

    def next(self) -> dict[str, Any]:
        """The next event: its name and what its data says. Raises EOFError at the end."""
        name = None
        while line := self.answer.readline():
            if line.startswith(b"event: "):
                name = line[7:].decode().rstrip("\n")
            elif line.startswith(b"data: "):
                return {"name": name, **json.loads(line[6:])}
        raise EOFError


def multipart(files: dict[str, tuple[str, bytes]], text: dict[str, str] | None = None) -> bytes:
    """A body of files and fields."""
    parts = [
        (f'name="{field}"; filename="{name}"', b"Content-Type: application/octet-stream\r\n", content)
        for field, (name, content) in files.items()
    ]
    parts += [(f'name="{field}"', b"", value.encode()) for field, value in (text or {}).items()]
    body = b"".join(
        f"--{BOUNDARY}\r\nContent-Disposition: form-data; {head}\r\n".encode() + kind + b"\r\n" + content + b"\r\n"
        for head, kind, content in parts
    )
    return body + f"--{BOUNDARY}--\r\n".encode()


@contextmanager
def rest_lab(folder: Path) -> Iterator[RestLab]:
    lab = RestLab(folder)
    try:
        yield lab
    finally:
        lab.close()
