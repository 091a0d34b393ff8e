"""The record of one handshake: who came, what they offered, what they were shown, and how it ended.

It is told from our side of the wire alone, so it proves a failed pin whatever the client's console says.
"""

from __future__ import annotations

import functools
import re
import ssl
from dataclasses import dataclass
from typing import Any, Literal

from rig.formats.tls_records import ALERT_NUMBERS, Alert, ClientHello, version_name
from rig.ports import host_of

#: `aborted`: the client sent an alert. `refused`: we did, `reason` says why. `hung up`, `reset`: the client left
#: without a word. `timeout`: it did not go on. `closed`: we left.
Outcome = Literal["running", "completed", "aborted", "refused", "hung up", "reset", "timeout", "closed"]
#: How a connection ended whose handshake had completed.
Ending = Literal["", "close_notify", "alert", "hung up", "reset", "broken", "closed"]

_RECEIVED = re.compile(r"(?:SSLV3|TLSV1|TLSV13)_(?:ALERT_)?(\w+)")
#: How OpenSSL writes names otherwise than the RFCs.
_SPELLED = {"user_cancelled": "user_canceled", "export_restriction": "export_restriction"}


@dataclass(slots=True, eq=False)
class Handshake:
    """One handshake, kept up to date until its connection is over.

    `alert` is the client's, also one that came when the handshake had completed on our side (a TLS 1.3 client whose
    library judges late): `ending` is "alert" then. `received` counts the bytes of application data it sent.
    """

    number: int
    peer: str
    at_ns: int
    hello: ClientHello | None = None
    host: str | None = None
    identity: str | None = None
    outcome: Outcome = "running"
    alert: Alert | None = None
    reason: str = ""
    version: str | None = None
    cipher: str | None = None
    seconds: float = 0.0
    received: int = 0
    ending: Ending = ""

    @property
    def client(self) -> str:
        """The address it came from, without its port."""
        return host_of(self.peer)

    def size(self) -> int:
        """About how many bytes it takes in memory."""
        hello = self.hello
        offered = 0 if hello is None else 36 * (len(hello.ciphers) + len(hello.versions)) + len(hello.server_name or "")
        return 1000 + offered

    def to_dict(self) -> dict[str, Any]:
        """As JSON: versions and suites by name, best first."""
        hello = self.hello
        return {
            "handshake": self.number,
            "peer": self.peer,
            "began_ns": self.at_ns,
            "server_name": hello.server_name if hello is not None else None,
            "versions": [version_name(number) for number in hello.versions] if hello is not None else [],
            "ciphers": [cipher_name(number) for number in hello.ciphers] if hello is not None else [],
            "host": self.host,
            "identity": self.identity,
            "outcome": self.outcome,
            "alert": self.alert.name if self.alert is not None else None,
            "alert_number": self.alert.number if self.alert is not None else None,
            "reason": self.reason,
            "version": self.version,
            "cipher": self.cipher,
            "seconds": round(self.seconds, 6),
            "received": self.received,
            "ending": self.ending,
        }


def received_alert(error: ssl.SSLError) -> Alert | None:
    """The alert of the peer's that made OpenSSL give up; None when it gave up by itself."""
    if isinstance(error, ssl.SSLZeroReturnError):
        return Alert(0)
    found = _RECEIVED.fullmatch(error.reason or "")
    if found is None:
        return None
    name = found.group(1).lower()
    number = ALERT_NUMBERS.get(_SPELLED.get(name, name))
    return Alert(number) if number is not None else None


def own_reason(error: ssl.SSLError) -> str:
    """Why OpenSSL gave up by itself, in words such as `no shared cipher`."""
    return (error.reason or str(error)).replace("_", " ").lower()


def cipher_name(number: int) -> str:
    """OpenSSL's name of a cipher suite; hexadecimal for one it does not speak."""
    return _cipher_names().get(number, f"0x{number:04x}")


@functools.cache
def _cipher_names() -> dict[int, str]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.set_ciphers("ALL:@SECLEVEL=0")
    return {entry["id"] & 0xFFFF: entry["name"] for entry in context.get_ciphers()}
