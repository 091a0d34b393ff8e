"""What requests to an update server's control port look like; the plain ones are Request itself."""

from __future__ import annotations

import ipaddress
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field

from rig.servers.control_port import Request


def _ip_address(text: str) -> str:
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        raise ValueError(f"{text!r} is no IP address, such as 192.0.2.7") from None


#: Where a client comes from, as its connection tells it.
ClientAddress = Annotated[str, AfterValidator(_ip_address)]


class Events(Request):
    """Whose events; those that are nobody's come too."""

    host: str | None = None
    device: str | None = None


class WithIdentity(Request):
    """An identity: its chain and its key, each a file that the server may read, or PEM."""

    chain: str | None = None
    key: str | None = None
    chain_pem: str | None = None
    key_pem: str | None = None

    @property
    def brings_one(self) -> bool:
        """Whether anything of an identity comes with it."""
        return any(part is not None for part in (self.chain, self.key, self.chain_pem, self.key_pem))


class Swap(WithIdentity):
    """To an identity by its name, or to one that comes with it; for everybody, or for who comes from one address."""

    host: str
    client: ClientAddress | None = None
    identity: str | None = None


class AddIdentity(WithIdentity):
    """An identity, to be swapped to by its name."""

    name: str


class Forget(Request):
    """The client's address."""

    client: ClientAddress


class Clock(Request):
    """What a client is told of the time, from now on; None: the truth."""

    client: ClientAddress
    now: float | None = Field(default=None, allow_inf_nan=False, ge=0, lt=1 << 33)


class Issue(Request):
    """A new identity for a host, by its recipe; a key that is kept is the one the host, or this client, meets now."""

    host: str
    name: str
    recipe: dict[str, Any] = Field(default_factory=dict)
    client: ClientAddress | None = None


class Tls(Request):
    """How handshakes go, of one host or of all, with one client or with all; what is not named stays."""

    host: str | None = None
    client: ClientAddress | None = None
    minimum: str | None = None
    maximum: str | None = None
    ciphers: str | None = None
    delay: float | None = None


class WithFile(Request):
    """A file that the server may read, or what is in it as base64."""

    file: str | None = None
    content: str | None = None


class Publish(WithFile):
    """Where it is published; by the file's own name if not told."""

    path: str | None = None


class Withdraw(Request):
    """Where something is published."""

    path: str


class Release(WithFile):
    """A version of a product, and whom it is for."""

    product: str
    version: str
    percentage: float = 100
    groups: list[str] = Field(default_factory=list)
    devices: list[str] = Field(default_factory=list)


class WithdrawRelease(Request):
    """Of a product or of any, a version or any, to a device or to all."""

    product: str | None = None
    version: str | None = None
    device: str | None = None


class Group(Request):
    """Who belongs to a group."""

    name: str
    devices: list[str]


class Fault(Request):
    """As rig.servers.https.faults.Fault."""

    kind: str
    at: int | None = None
    device: str | None = None
    host: str | None = None
    times: int = 1
    lasts: float = 0
    to: str | None = None


class OfDevice(Request):
    """One device's, or all."""

    device: str | None = None


class Log(Request):
    """Which log, and how much of it."""

    of: Literal["handshakes", "requests", "check-ins"]
    last: int = Field(default=1000, ge=1)
    #: Only what came after the request, or the handshake, of this number.
    after: int = Field(default=0, ge=0)
    device: str | None = None
