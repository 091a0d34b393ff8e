"""What an application asks esp_https_ota for, and what came of it besides an error."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from rig.families.esp32.twin.app.connection import Security


@dataclass(frozen=True, slots=True)
class Request:
    """What an application asks for. `seconds` is the time-out of one socket operation."""

    url: str
    trust: Security | None
    seconds: float = 5.0
    #: Bytes read at a time, if more than a header's.
    buffer: int = 0
    headers: Mapping[str, str] = field(default_factory=dict)
    bulk_erase: bool = False
    #: Bytes a piece of a partial download has.
    partial: int | None = None
    resumption: bool = False
    #: The application's own limit of the whole download, in seconds.
    deadline: float | None = None
    #: The application looks at the version in the image before it begins; the library never does.
    compares_version: bool = False
    #: Challenges that the HTTP client was built to answer: basic, digest.
    authorizes: tuple[str, ...] = ()

    @property
    def in_one_call(self) -> bool:
        """Whether the application calls esp_https_ota(), as it does that has nothing to look at meanwhile."""
        return not (self.compares_version or self.resumption)


@dataclass
class Attempt:
    """One update: what came of it besides its error."""

    #: ESP-TLS's error of the connection that failed last; 0 for none.
    tls_error: int = 0
    status: int = 0
    #: The image offered has the version that runs: the application left it at that.
    same_version: bool = False
