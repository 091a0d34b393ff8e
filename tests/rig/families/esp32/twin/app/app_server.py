"""A server in memory for an ESP32's application: OpenSSL's end of TLS, and answers as they are scripted."""

from __future__ import annotations

import contextlib
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

from rig.trust.authority import Authority, make_root
from rig.trust.identity import Identity, pem
from rig.trust.tls.context import VERSIONS, TlsSettings, load_identity
from rig.trust.tls.handshake import received_alert

HOST = "ota.test"


@cache
def authority(name: str) -> Authority:
    return make_root(f"Root {name}")


@cache
def issued(name: str = "a", host: str = HOST) -> Identity:
    """A server's identity under an intermediate of root `name`."""
    return authority(name).intermediate(f"Intermediate {name}").issue(host)


def root_pem(name: str) -> str:
    return pem(authority(name).certificate).decode()


@dataclass
class Asked:
    """A request as the server got it."""

    host: str
    method: str
    path: str
    version: str
    headers: dict[str, str]


@dataclass
class Answer:
    """What the server sends, and whether it hangs up then; `later` waits until the board asks time to pass."""

    data: bytes
    hangs_up: bool = True
    later: bytes = b""
    #: How it hangs up: by FIN, after a close_notify, by RST.
    by: Literal["FIN", "close_notify", "RST"] = "FIN"


Answers = Callable[[Asked], Answer]


def answer(status: int = 200, body: bytes = b"", **headers: str) -> Answer:
    """An answer with a Content-Length, unless another one is told; the server stays if that is all of it."""
    named = {"Content-Length": str(len(body)), **{name.replace("_", "-"): value for name, value in headers.items()}}
    lines = [f"HTTP/1.1 {status} Whatever", *(f"{name}: {value}" for name, value in named.items() if value)]
    head = ("\r\n".join(lines) + "\r\n\r\n").encode()
    return Answer(head + body, hangs_up=named["Content-Length"] != str(len(body)))


def serving(image: bytes) -> Answers:
    """A plain file server with ranges."""

    def answers(asked: Asked) -> Answer:
        wanted = asked.headers.get("range")
        if wanted is None:
            return answer(200, b"" if asked.method == "HEAD" else image, Content_Length=str(len(image)))
        first, last = wanted.removeprefix("bytes=").split("-")
        begin, end = int(first), min(int(last or len(image)), len(image) - 1)
        if begin >= len(image):
            return answer(416)
        return answer(206, image[begin : end + 1], Content_Range=f"bytes {begin}-{end}/{len(image)}")

    return answers


class Peer:
    """The server's end of one connection."""

    def __init__(
        self,
        host: str,
        identity: Identity | None,
        answers: Answers,
        asked: list[Asked],
        settings: TlsSettings | None = None,
    ):
        self.host, self.error = host, ""
        self._shown = identity.fingerprint if identity is not None else None
        self.failed: ssl.SSLError | None = None
        self._answers, self._asked = answers, asked
        self._in, self._out = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = None
        if identity is not None:
            self._tls = context(identity, settings).wrap_bio(self._in, self._out, server_side=True)
        self._shaken = False
        self._text = b""
        self.later = b""
        self.by = "FIN"
        self._gone = False

    def receive(self, data: bytes) -> tuple[bytes, bool]:
        """What the server sends then, and whether it hangs up; one that has, answers no more."""
        if self._gone:
            return b"", True
        sent, self._gone = self._receive(data)
        return sent, self._gone

    def _receive(self, data: bytes) -> tuple[bytes, bool]:
        if self._tls is None:
            self._text += data
            return self._answer()
        self._in.write(data)
        try:
            if not self._shaken:
                self._tls.do_handshake()
                self._shaken = True
            while plain := self._tls.read(65536):
                self._text += plain
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLError as error:
            self.error, self.failed = error.reason or "closed", error
            return self._out.read(), True
        sent, ends = self._answer()
        if sent:
            self._tls.write(sent)
        if ends and self.by == "close_notify":
            with contextlib.suppress(ssl.SSLWantReadError):
                self._tls.unwrap()
        return self._out.read(), ends

    def to_dict(self) -> dict[str, Any]:
        """Its handshake, as an endpoint tells of one."""
        shown = {"host": self.host, "identity": self._shown}
        if self._shaken:
            return {**shown, "outcome": "completed", "alert": None}
        if self.failed is None:
            return {**shown, "outcome": "hung up", "alert": None}
        alert = received_alert(self.failed)
        return {**shown, "outcome": "refused" if alert is None else "aborted", "alert": alert and alert.name}

    def late(self) -> bytes:
        """What it had kept for later."""
        data, self.later = self.later, b""
        if data and self._tls is not None:
            self._tls.write(data)
            return self._out.read()
        return data

    def _answer(self) -> tuple[bytes, bool]:
        if self._text.startswith(b"\x16\x03"):
            return answer(400).data, True
        if b"\r\n\r\n" not in self._text:
            return b"", False
        head, self._text = self._text.split(b"\r\n\r\n", 1)
        first, *lines = head.decode().split("\r\n")
        method, path, version = first.split(" ")
        headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}
        asked = Asked(self.host, method, path, version, headers)
        self._asked.append(asked)
        found = self._answers(asked)
        self.later, self.by = found.later, found.by
        return found.data, found.hangs_up


def context(identity: Identity, settings: TlsSettings | None = None) -> ssl.SSLContext:
    """OpenSSL with this identity."""
    settings = settings or TlsSettings()
    made = load_identity(identity, settings)
    made.minimum_version, made.maximum_version = VERSIONS[settings.minimum], VERSIONS[settings.maximum]
    return made


def chunked(body: bytes) -> Answer:
    """In chunks of a prime size."""
    pieces = [body[at : at + 7919] for at in range(0, len(body), 7919)]
    framed = b"".join(b"%x;name=value\r\n%s\r\n" % (len(piece), piece) for piece in pieces)
    return Answer(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + framed + b"0\r\n\r\n")
