"""The host's side of DfuSe over pyusb: read, erase, write and leave, whatever the device is attached by.

Unlike dfu-util it reports every block and writes in either erase order; what may be written is for others to judge.
"""

from __future__ import annotations

import errno
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import Enum
from typing import Any

import usb.core
import usb.util

from rig.errors import DeviceFault, LabFault, Misuse
from rig.formats import dfuse
from rig.formats.dfuse import Segment, Status

DFU_INTERFACE = (0xFE, 0x01)
#: Protocol of an interface that is in DFU mode; 1 is that of a device which could be brought into it.
DFU_MODE = 2
TRANSFER_SIZE = 1024
TIMEOUT_MS = 5000
STATUS_ROUNDS = 100


class EraseOrder(Enum):
    """When pages are erased: all before the first write, as dfu-util does, or each before its own blocks."""

    ALL_FIRST = "all-first"
    INTERLEAVED = "interleaved"


@dataclass(frozen=True, slots=True)
class Progress:
    """One thing the device has just begun (or, in `read`, given): `phase` is erase, program, commit or read.

    `done` of `total` counts it in: pages in erase, bytes in program and read, 1 of 1 in commit.
    """

    phase: str
    address: int
    done: int
    total: int


Watcher = Callable[[Progress], None]
Sleep = Callable[[float], None]


def nobody(_progress: Progress) -> None:
    """Watches nothing."""


def find_dfu(backend: Any = None) -> list[Any]:
    """Every pyusb device in DFU mode that `backend` sees (None: this machine's USB). Raises LabFault."""

    def in_dfu(device: Any) -> bool:
        return any(
            (entry.bInterfaceClass, entry.bInterfaceSubClass, entry.bInterfaceProtocol) == (*DFU_INTERFACE, DFU_MODE)
            for config in device
            for entry in config
        )

    with _faults("list"):
        return list(usb.core.find(find_all=True, backend=backend, custom_match=in_dfu))


class DfuHost:
    """A device in DFU mode. Use as a context manager; nothing is sent before it is entered."""

    def __init__(self, device: Any, *, sleep: Sleep = time.sleep, watch: Watcher = nobody):
        self.device = device
        self._sleep = sleep
        self.watch = watch
        self.segments: list[Segment] = []

    def __enter__(self) -> DfuHost:
        try:
            with _faults("open"):
                self.device.set_interface_altsetting(0, 0)
                self.segments = [segment for name in self.alternate_names() for segment in dfuse.parse_layout(name)]
                self._to_idle()
        except BaseException:
            usb.util.dispose_resources(self.device)
            raise
        return self

    def __exit__(self, *_exc: object) -> None:
        usb.util.dispose_resources(self.device)

    def alternate_names(self) -> list[str]:
        """The memory layouts the alternate settings are named after."""
        return [
            usb.util.get_string(self.device, interface.iInterface).rstrip("\0")
            for interface in self.device[0]
            if (interface.bInterfaceClass, interface.bInterfaceSubClass) == DFU_INTERFACE
        ]

    def serial_number(self) -> str:
        """The serial number the device shows."""
        with _faults("open"):
            return str(usb.util.get_string(self.device, self.device.iSerialNumber)).rstrip("\0")

    # -- what one does -----------------------------------------------------------------------------------------------

    def read(self, address: int, length: int) -> bytes:
        """`length` bytes from `address`. Raises LabFault when the device is gone."""
        parts = []
        with _faults("read"):
            self._set_pointer(address)
            self._abort()
            for block, at in enumerate(range(0, length, TRANSFER_SIZE), start=dfuse.FIRST_DATA_BLOCK):
                size = min(TRANSFER_SIZE, length - at)
                parts.append(bytes(self._in(dfuse.UPLOAD, block, size)))
                self.watch(Progress("read", address + at, at + size, length))
            self._abort()
        return b"".join(parts)

    def write(self, address: int, data: bytes, order: EraseOrder = EraseOrder.ALL_FIRST) -> None:
        """Erase what `data` covers and write it, wherever that is. Raises LabFault, DeviceFault."""
        pages = list(self._pages(address, len(data)))
        if order is EraseOrder.ALL_FIRST:
            for number, page in enumerate(pages, start=1):
                self.erase(page, number, len(pages))
        for at in range(0, len(data), TRANSFER_SIZE):
            block = data[at : at + TRANSFER_SIZE]
            if order is EraseOrder.INTERLEAVED:
                for number, page in enumerate(pages, start=1):
                    if address + at <= page < address + at + len(block) or (at == 0 and page < address):
                        self.erase(page, number, len(pages))
            with _faults("program"):
                self._set_pointer(address + at)
                begun = Progress("program", address + at, at + len(block), len(data))
                self._download(dfuse.FIRST_DATA_BLOCK, block, begun)

    def erase(self, address: int, number: int = 1, total: int = 1) -> None:
        """Erase the page that holds `address`, the `number`-th of `total`."""
        with _faults("erase"):
            self._download(0, dfuse.erase_command(address), Progress("erase", address, number, total))

    def leave(self, address: int) -> None:
        """Tell the device to save its flags and reset; it begins to when this returns."""
        with _faults("commit"):
            self._set_pointer(address)
            self._out(dfuse.DNLOAD, dfuse.FIRST_DATA_BLOCK)
            self._status(Progress("commit", address, 1, 1))

    # -- how ---------------------------------------------------------------------------------------------------------

    def _pages(self, address: int, length: int) -> Iterator[int]:
        """First addresses of the pages a stretch touches; where no segment is announced they are guessed."""
        at = address
        while at < address + length:
            segment = next((s for s in self.segments if s.start <= at < s.end), None)
            start, size = (segment.start, segment.page) if segment is not None else (0, TRANSFER_SIZE)
            page = at - (at - start) % size
            yield page
            at = page + size

    def _set_pointer(self, address: int) -> None:
        self._download(0, dfuse.pointer_command(address))

    def _download(self, block: int, data: bytes, begun: Progress | None = None) -> None:
        """One download and the work it means; `begun` is told the moment the device sets about it."""
        self._out(dfuse.DNLOAD, block, data)
        status = self._status(begun)
        for _ in range(STATUS_ROUNDS):
            if status.state == dfuse.DNLOAD_IDLE:
                return
            if status.state not in (dfuse.DNBUSY, dfuse.DNLOAD_SYNC):
                name = dfuse.STATE_NAMES.get(status.state, str(status.state))
                raise DeviceFault(f"download ended in {name}, status {status.code}")
            status = self._status()
        raise DeviceFault(f"still busy after {STATUS_ROUNDS} status requests")

    def _status(self, begun: Progress | None = None) -> Status:
        """GETSTATUS, and the wait it asks for; the device begins its work as soon as it has answered."""
        status = Status.unpack(bytes(self._in(dfuse.GETSTATUS, 0, 6)))
        if begun is not None:
            self.watch(begun)
        if status.poll_ms:
            self._sleep(status.poll_ms / 1000)
        return status

    def _abort(self) -> None:
        self._out(dfuse.ABORT, 0)

    def _to_idle(self) -> None:
        for _ in range(3):
            state = self._status().state
            if state == dfuse.IDLE:
                return
            self._out(dfuse.CLRSTATUS if state == dfuse.ERROR else dfuse.ABORT, 0)
        if self._status().state != dfuse.IDLE:
            raise DeviceFault("does not become idle", hint="power-cycle the board")

    def _out(self, request: int, value: int, data: bytes = b"") -> None:
        self.device.ctrl_transfer(0x21, request, value, 0, data, TIMEOUT_MS)

    def _in(self, request: int, value: int, length: int) -> Any:
        answer = self.device.ctrl_transfer(0xA1, request, value, 0, length, TIMEOUT_MS)
        if len(answer) != length:
            raise DeviceFault(f"{length} bytes were asked for, {len(answer)} came")
        return answer


class _faults:
    """Turn USB errors into ours: a stall is the device's fault, a device that is gone may have lost its power."""

    def __init__(self, phase: str):
        self._phase = phase

    def __enter__(self) -> None:
        return None

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        if isinstance(error, Misuse):
            raise DeviceFault(error.message, phase=self._phase) from error
        if isinstance(error, usb.core.USBError):
            if error.errno == errno.EPIPE:
                raise DeviceFault("request stalled", phase=self._phase) from error
            raise LabFault(
                f"USB: {error.strerror or error}", phase=self._phase, hint="is the board powered?"
            ) from error
        if isinstance(error, usb.core.NoBackendError):
            raise LabFault("no libusb on this machine", phase=self._phase, hint="install libusb-1.0") from error
