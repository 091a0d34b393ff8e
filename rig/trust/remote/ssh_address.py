"""Where to log in over SSH, and by what it is known."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from rig.errors import Misuse
from rig.ports import is_port


@dataclass(frozen=True, slots=True)
class SshAddress:
    """Where to log in, and by what it is known.

    `host_key` is the only key that is taken where it is given, as `ssh-keyscan` prints it (`ssh-ed25519 AAAA…`); else
    `known_hosts` says, else the user's own file. Without `identity_files` agent and usual keys are tried.
    """

    user: str
    host: str
    port: int = 22
    identity_files: tuple[Path, ...] = ()
    known_hosts: Path | None = None
    host_key: str | None = None

    def __str__(self) -> str:
        return f"{self.user}@{self.known_as}"

    @property
    def known_as(self) -> str:
        """As known_hosts writes it."""
        return self.host if self.port == 22 else f"[{self.host}]:{self.port}"

    @classmethod
    def parse(cls, text: str) -> SshAddress:
        """From `USER@HOST` or `USER@HOST:PORT`, an IPv6 address in brackets. Raises Misuse."""
        user, at, place = text.rpartition("@")
        host, colon, port = place.rpartition(":") if not place.endswith("]") else (place, "", "")
        if not colon:
            host, port = place, "22"
        host = host.removeprefix("[").removesuffix("]") if host.startswith("[") else host
        bare = ":" in host and not place.startswith("[")
        if not at or not user or not host or bare or not is_port(port):
            raise Misuse(f"{text!r} is not USER@HOST[:PORT]", hint="for example deploy@ota.example:22")
        return cls(user, host, int(port))
