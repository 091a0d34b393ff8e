"""Addresses and heads of HTTP as a device's client parses them. Sans input and output."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from urllib.parse import urlsplit

PORTS = {"http": 80, "https": 443}
_STATUS = re.compile(rb"HTTP/1\.(\d) +(\d{3})(?: |$)")


class Malformed(Exception):
    """What came is no HTTP, or an address is none."""


class HungUp(Malformed):
    """The server left before it had answered."""


@dataclass(frozen=True, slots=True)
class Url:
    """An address: `path` with its query."""

    scheme: str
    host: str
    port: int
    path: str

    @classmethod
    def parse(cls, text: str) -> Url:
        """Raises Malformed."""
        try:
            parts = urlsplit(text)
            port = parts.port or PORTS[parts.scheme]
        except (ValueError, KeyError) as error:
            raise Malformed(f"{text!r} is no address") from error
        if not parts.hostname:
            raise Malformed(f"{text!r} names no host")
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        return cls(parts.scheme, parts.hostname, port, path)

    def redirected(self, location: str) -> Url:
        """Where a Location header leads: an absolute address, or a path of the same host (http_parser_parse_url).

        Raises Malformed: for anything else that is relative, too.
        """
        if not location.isprintable() or " " in location:
            raise Malformed(f"{location[:40]!r} is no address")
        if location.startswith("/"):
            return replace(self, path=location.partition("#")[0])
        return Url.parse(location)

    @property
    def authority(self) -> str:
        """What goes into the Host header: the port only where it is an unusual one."""
        return self.host if self.port in PORTS.values() else f"{self.host}:{self.port}"

    def __str__(self) -> str:
        return f"{self.scheme}://{self.host}:{self.port}{self.path}"


@dataclass(frozen=True, slots=True)
class Head:
    """A status line and headers; names in lower case, of headers sent twice the last."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    #: Of HTTP/1.
    minor: int = 1

    @classmethod
    def parse(cls, raw: bytes) -> Head:
        """From everything up to the empty line. Raises Malformed."""
        first, *lines = raw.split(b"\r\n")
        matched = _STATUS.match(first)
        if matched is None:
            raise Malformed(f"no status line: {first[:40]!r}")
        headers = {}
        for line in filter(None, lines):
            name, colon, value = line.partition(b":")
            if not colon or not name.strip():
                raise Malformed(f"no header: {line[:40]!r}")
            headers[name.strip().decode("latin-1").lower()] = value.strip().decode("latin-1")
        return cls(int(matched[2]), headers, int(matched[1]))

    @property
    def length(self) -> int | None:
        """Content-Length; None where there is none. Raises Malformed for one that is no number."""
        text = self.headers.get("content-length")
        return None if text is None else _count(text, "Content-Length")

    @property
    def total(self) -> int | None:
        """How long the whole is that this is a range of; None where Content-Range does not tell. Raises Malformed."""
        text = self.headers.get("content-range", "").rpartition("/")[2]
        return None if text in ("", "*") else _count(text, "Content-Range")

    @property
    def chunked(self) -> bool:
        """Whether the body comes in chunks."""
        return self.headers.get("transfer-encoding", "").lower() == "chunked"

    @property
    def keeps_alive(self) -> bool:
        """Whether the server says that the connection stays for another request."""
        wish = self.headers.get("connection", "").lower()
        return wish != "close" if self.minor else wish == "keep-alive"


def _count(text: str, header: str) -> int:
    if not re.fullmatch("[0-9]{1,12}", text):
        raise Malformed(f"{header} {text[:40]!r}")
    return int(text)
