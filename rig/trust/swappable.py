"""What every server has whose identity is swapped, however it keeps it: in this process, behind a port, far away."""

from __future__ import annotations

from typing import Protocol, TypeVar

Shown = TypeVar("Shown", contravariant=True)


class Swappable(Protocol[Shown]):
    """One name at one server. `Shown` is what it can be: a chain with its key, or a Spark cloud's key alone.

    After `swap` the very next handshake sees the new identity, connections that run end undisturbed, and no session of
    before is resumed. What cannot be served is refused with Misuse or LabFault, and nothing has changed then.
    """

    def shown(self) -> str:
        """What a client sees now: the SHA-256 of the certificate, or of the public key, hexadecimal."""

    def swap(self, identity: Shown, /) -> str:
        """Show another identity; returns what was shown until now."""

    def restore(self) -> str:
        """Show the one before this again; returns what was shown until now."""
