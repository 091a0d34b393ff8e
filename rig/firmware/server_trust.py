"""Whom firmware asks for updates, and how it looks at who answers: what a server's identity is judged by."""

from __future__ import annotations

from dataclasses import dataclass, replace
from urllib.parse import urlsplit

from rig.formats.mbedtls_build import TODAY, MbedTls

#: The name that stands for the public roots; every other pin is NAME.pem in some folder.
BUNDLE = "bundle"


@dataclass(frozen=True, slots=True)
class Attempt:
    """One place an image asks, and the certificates it trusts there, by name; none for an address without TLS."""

    url: str
    pins: tuple[str, ...]

    @property
    def host(self) -> str:
        """The name that is dialled, and that the certificate must be for."""
        return urlsplit(self.url).hostname or ""

    @property
    def port(self) -> int:
        """Where TLS is spoken."""
        return urlsplit(self.url).port or (443 if self.url.startswith("https:") else 80)


@dataclass(frozen=True, slots=True)
class ServerTrust:
    """How some firmware looks at servers. Images that have the same are one firmware to a server's identity."""

    #: In the order they are made, each after the one before has failed. What is told the server is left out.
    attempts: tuple[Attempt, ...]
    skips_name: bool = False
    #: Most does not.
    checks_dates: bool = False
    #: Some is built without the suites of ECDSA certificates.
    takes_ecdsa: bool = True
    build: MbedTls = TODAY

    @property
    def over_tls(self) -> ServerTrust:
        """The same, without servers that show no certificate."""
        return replace(self, attempts=tuple(one for one in self.attempts if one.url.startswith("https:")))
