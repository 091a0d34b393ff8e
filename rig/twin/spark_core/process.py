"""A Spark Core on real wires: USB/IP and a control port around the model, its flash kept in files.

Time is the machine's monotonic clock. Files change only when flash does, page by page and at most 50 ms late, so that
even a killed process leaves flash much as the board would have left it.
"""

from __future__ import annotations

import asyncio
import hashlib
import math
import os
import time
from pathlib import Path
from typing import Any

from rig.errors import LabFault, Misuse
from rig.formats import spark_flash as layout
from rig.formats.usb import Setup
from rig.twin.control import ControlServer
from rig.twin.flash import Nor
from rig.twin.spark_core.core import Core, Identify
from rig.twin.spark_core.memory import CoreMemory
from rig.twin.usbip_server import BUSID, UsbipServer

_MOST_SHOWN = 1000
#: How far the files may lag behind flash work under way.
FILE_LAG_SECONDS = 0.05


class FlashFile:
    """A memory's file, written through page by page; made with `fresh` contents when it is not there."""

    def __init__(self, path: Path, nor: Nor, fresh: bytes):
        self._nor = nor
        if not path.exists():
            path.write_bytes(fresh)
        try:
            nor.load(path.read_bytes())
        except Misuse as error:
            raise Misuse(f"{path}: {error.message}", hint="restore the file, or remove it to begin blank") from None
        self._fd = os.open(path, os.O_WRONLY)
        nor.on_change = self._write

    def _write(self, index: int, page: bytes) -> None:
        os.pwrite(self._fd, page, index * self._nor.page)

    def close(self) -> None:
        """Let go of the file."""
        self._nor.on_change = None
        os.close(self._fd)


def _boots_as_first_seen(note: Path, memory: CoreMemory) -> bool:
    """Whether the bootloader's pages are what they were when this board was first powered; noted then.

    Flash files need not hold a bootloader, but one that somebody wrote over stays lost.
    """
    digest = hashlib.sha256(memory.internal.peek(layout.INTERNAL_BASE, layout.BOOTLOADER_SIZE)).hexdigest()
    if not note.exists():
        note.write_text(digest)
    return note.read_text() == digest


class CoreProcess:
    """Owns the model and its clock, and serves it until stopped."""

    def __init__(
        self,
        *,
        state: Path,
        identify: Identify,
        uid: bytes,
        time_scale: float,
        seed: int,
        boot_code: bytes = b"",
        **kind: Any,
    ):
        """`boot_code` is what a blank board's first pages hold; `kind` is what else a Core is made with."""
        try:
            state.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise Misuse(f"cannot use the state folder {state}: {error.strerror}") from error
        memory = CoreMemory()
        self._files = [
            FlashFile(state / "internal.bin", memory.internal, boot_code.ljust(layout.INTERNAL_SIZE, b"\xff")),
            FlashFile(state / "external.bin", memory.external, memory.external.dump()),
        ]
        if not _boots_as_first_seen(state / "boot-code.sha256", memory):
            kind["generation"] = None
        self.core = Core(memory, identify, uid=uid, time_scale=time_scale, seed=seed, **kind)
        self.core.on_usb_change = self._usb_changed
        self.usbip = UsbipServer(self)
        self.control_port = ControlServer(
            {
                "status": self._status,
                "led": self._led,
                "events": self._events,
                "journal": self._journal,
                "power": self._power,
                "mode": self._mode,
                "reset": self._reset,
            }
        )
        self._began = time.monotonic()
        self._timer: asyncio.TimerHandle | None = None

    def now(self) -> float:
        """Seconds since the process began: the model's time."""
        return time.monotonic() - self._began

    async def start(self, *, host: str, usbip_port: int, control_port: int, powered: bool) -> dict[str, Any]:
        """Open both ports; returns the ready line. Raises LabFault when a port is taken."""
        ports = []
        for server, port in ((self.usbip, usbip_port), (self.control_port, control_port)):
            try:
                ports.append(await server.start(host, port))
            except OSError as error:
                raise LabFault(
                    f"cannot listen on {host}:{port}: {error.strerror}", hint="port 0 takes a free one"
                ) from error
        if powered:
            self.core.power_on(self.now())
            self._wake()
        return {
            "ready": True,
            "usbip": {"host": host, "port": ports[0], "busid": BUSID},
            "control": {"host": host, "port": ports[1]},
            "generation": self.core.generation,
        }

    def close(self) -> None:
        """Close ports and files; the board is left as it is, as when its power goes."""
        self.core.catch_up(self.now())
        self.usbip.close()
        self.control_port.close()
        for file in self._files:
            file.close()

    # -- the USB port ------------------------------------------------------------------------------------------------

    @property
    def descriptors(self) -> tuple[bytes, bytes] | None:
        """Device and configuration descriptor of what is attached."""
        usb = self.core.usb
        return (usb.device_descriptor, usb.configuration_descriptor) if usb is not None else None

    @property
    def busy(self) -> bool:
        """Whether the device still works on the last request."""
        if self.core.busy:
            self.core.advance(self.now())
        return self.core.busy

    def control(self, setup: Setup, data: bytes) -> bytes | None:
        """Answer a control transfer; None stalls."""
        return self.core.control(setup, data, self.now())

    def acknowledged(self) -> None:
        """The answer is on its way: begin the status stage."""
        self.core.acknowledge(self.now())
        if self.core.busy:
            self._wake()

    def _usb_changed(self) -> None:
        self.usbip.detached()

    # -- time --------------------------------------------------------------------------------------------------------

    def _wake(self) -> None:
        """Let what is due happen, and come back when the next thing is."""
        self.core.advance(self.now())
        self.usbip.idle()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        wait = self.core.due() - self.now()
        if wait > FILE_LAG_SECONDS:
            self.core.catch_up(self.now())
        if wait != math.inf:
            self._timer = asyncio.get_running_loop().call_later(max(min(wait, FILE_LAG_SECONDS), 0), self._wake)

    # -- the control port --------------------------------------------------------------------------------------------

    def _status(self, _request: dict[str, Any]) -> dict[str, Any]:
        core = self.core
        core.catch_up(self.now())
        return {
            "power": core.powered,
            "usb": core.usb.identity if core.usb is not None else None,
            "running": core.running,
            "generation": core.generation,
            "led": core.led[-1][1] if core.powered and core.led else None,
            "mode": core.mode_held,
            "flags16": core.memory.flags16().hex(),
            "dr": core.dr,
            "operations": core.operations,
            "app_digest": core.memory.internal.digest().hex(),
            "now": core.time,
        }

    def _led(self, _request: dict[str, Any]) -> dict[str, Any]:
        return {"led": [{"at": at, "colour": c, "toggle": t} for at, c, t in self.core.led[-_MOST_SHOWN:]]}

    def _events(self, _request: dict[str, Any]) -> dict[str, Any]:
        return {"events": [{"at": event.at, "name": event.name} for event in self.core.events[-_MOST_SHOWN:]]}

    def _journal(self, _request: dict[str, Any]) -> dict[str, Any]:
        self.core.catch_up(self.now())
        runs = self.core.memory.journal.runs[-_MOST_SHOWN:]
        keys = ("first", "kind", "address", "unit", "count")
        return {"operations": self.core.operations, "runs": [{key: getattr(run, key) for key in keys} for run in runs]}

    def _power(self, request: dict[str, Any]) -> dict[str, Any]:
        if request["on"]:
            self.core.power_on(self.now())
        else:
            self.core.power_off(self.now())
        self._wake()
        return {"power": self.core.powered}

    def _mode(self, request: dict[str, Any]) -> dict[str, Any]:
        self.core.press_mode(bool(request["pressed"]), self.now())
        self._wake()
        return {"mode": self.core.mode_held}

    def _reset(self, request: dict[str, Any]) -> dict[str, Any]:
        for pressed in [request["pressed"]] if "pressed" in request else [True, False]:
            self.core.press_reset(bool(pressed), self.now())
        self._wake()
        return {"reset": self.core.reset_held}
