"""What a web page may have sent: no page drives the rig, whatever page it is and whatever it calls this machine."""

from __future__ import annotations

import ipaddress
import re
import socket
from collections.abc import Collection
from typing import Protocol

from rig.ports import is_loopback

#: By its method where its target is cut off: a port may see no more than the first thousand bytes.
_REQUEST = re.compile(
    rb"(?:GET|HEAD|POST|PUT|PATCH|DELETE|OPTIONS|CONNECT|TRACE) [/*]|[A-Za-z]{3,20} [^\r\n]{0,8192} HTTP/[0-9]"
)
_HOST = re.compile(r"(\[[0-9a-fA-F:.]+\]|[^\[\]:]+)(?::\d+)?")


def speaks_http(said: bytes) -> bool:
    """Whether somebody's first words are a request of HTTP: a page can have any server sent one, with any body."""
    return _REQUEST.match(said) is not None


def speaks_tls(said: bytes) -> bool:
    """Whether somebody's first words are a handshake of TLS: a page can have one sent with a name of its choice."""
    return said[:2] == b"\x16\x03"


class Headers(Protocol):
    """As aiohttp and multidict have them."""

    def getall(self, key: str, default: list[str], /) -> list[str]:
        """All values of a header."""


def is_of_a_page(headers: Headers) -> bool:
    """Whether a web page had this request sent, as browsers tell."""
    return bool(headers.getall("Origin", []) or set(headers.getall("Sec-Fetch-Site", [])) - {"none"})


class WebPages:
    """Tells requests of pages from others', at a server that listens at `host`, and that people call by `names`.

    None of our servers has pages, so whoever tells an origin is a page of elsewhere; browsers tell it, or by
    `Sec-Fetch-Site` that a page sent it.

    An address in a Host header means this machine and no other; a name does only where it is told, or always ours: a
    page can have a name of its own lead here.
    """

    def __init__(self, host: str = "127.0.0.1", names: Collection[str] = ()):
        self.loopback_only = is_loopback(host)
        self._names = {"localhost", host.lower(), *(name.lower() for name in names)}

    def refusal(self, headers: Headers) -> str | None:
        """Why a request is not answered; None for one that may be."""
        hosts = headers.getall("Host", [])
        if len(hosts) != 1 or not self.is_own(hosts[0]):
            return "the Host is not this server's: use its address, or localhost"
        if is_of_a_page(headers):
            return "this API is not for web pages"
        return None

    def is_own(self, host: str) -> bool:
        """Whether a Host header means this server and cannot be a name that somebody else gives it."""
        found = _HOST.fullmatch(host)
        if found is None:
            return False
        name = found[1].strip("[]").lower()
        try:
            address = ipaddress.ip_address(name)
        except ValueError:
            return name in self._names or (not self.loopback_only and name == socket.gethostname().lower())
        return address.is_loopback or not self.loopback_only
