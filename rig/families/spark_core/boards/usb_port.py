"""Where a Core's USB hangs, as drivers of hardware and stand-ins in tests both have it."""

from __future__ import annotations

from typing import Any, Protocol

from rig.errors import Misdescribed


class UsbPort(Protocol):
    """Where a board's USB hangs."""

    #: Whether the server there has said that what hangs on it is a twin; False says nothing.
    serves_twin: bool

    def identity(self) -> str | None:
        """`VVVV:PPPP` of what hangs there now."""

    def device(self) -> Any:
        """The pyusb device."""

    def other_dfu_devices(self) -> dict[str, Misdescribed]:
        """Cores in DFU under other bus ids of the same server, each with what is wrong if it is the one meant."""
