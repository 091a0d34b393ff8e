"""The host's side of DfuSe over pyusb: read, erase, write and leave, whatever the device is attached by.

Unlike dfu-util it reports every block and writes in either erase order; what may be written is for others to judge.
"""

from __future__ import annotations

import errno
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import Enum
from typing import Any

import usb.core
import usb.util

from rig.drivers.dfu_devices import Alternate, dfu_settings, read_alternates
from rig.drivers.progress import Progress, Watcher, ignore_progress
from rig.drivers.usb_device import read_language, read_string, usb_fault
from rig.errors import DeviceFault
from rig.formats import dfuse
from rig.formats.dfuse import Segment, Status

TRANSFER_SIZE = 1024
TIMEOUT_MS = 5000
STATUS_ROUNDS = 100


class EraseOrder(Enum):
    """When pages are erased: all before the first write, as dfu-util does, or each before its own blocks."""

    ALL_FIRST = "all-first"
    INTERLEAVED = "interleaved"


Sleep = Callable[[float], None]


class DfuHost:
    """A device in DFU mode. Use as a context manager; nothing is sent before it is entered."""

    def __init__(self, device: Any, *, sleep: Sleep = time.sleep, watch: Watcher = ignore_progress):
        self.device = device
        self._sleep = sleep
        self.watch = watch
        self._alternates: tuple[Alternate, ...] = ()
        self._interface = 0
        self._selected: Alternate | None = None

    def __enter__(self) -> DfuHost:
        try:
            with self._faults("open"):
                settings = dfu_settings(self.device)
                if settings:
                    self._alternates = read_alternates(self.device, settings, read_language(self.device))
                if not self.segments:
                    raise DeviceFault("announces no DfuSe memory", phase="open")
                self._interface = self._alternates[0].interface
                self._select(self._alternates[0])
                self._to_idle()
        except BaseException:
            usb.util.dispose_resources(self.device)
            raise
        return self

    def __exit__(self, *_exc: object) -> None:
        usb.util.dispose_resources(self.device)

    @property
    def segments(self) -> list[Segment]:
        """The memories the alternate settings are named after."""
        return [segment for alternate in self._alternates for segment in alternate.segments]

    def serial_number(self) -> str:
        """The serial number the device shows. Raises DeviceFault when it shows none, LabFault."""
        serial = self._string(self.device.iSerialNumber)
        if serial is None:
            raise DeviceFault("shows no serial number", phase="open")
        return serial

    def maker(self) -> str:
        """Whom the device names as its maker, without the blanks behind; nothing where it names none.

        Raises LabFault.
        """
        return (self._string(self.device.iManufacturer) or "").rstrip()

    def _string(self, index: int) -> str | None:
        with self._faults("open"):
            return read_string(self.device, index, read_language(self.device))

    # -- what one does -----------------------------------------------------------------------------------------------

    def read(self, address: int, length: int) -> bytes:
        """`length` bytes from `address`. Raises LabFault when the device is gone."""
        parts = []
        with self._faults("read"):
            self._select(self._alternate_of(address))
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
            with self._faults("program"):
                self._select(self._alternate_of(address + at))
                self._set_pointer(address + at)
                begun = Progress("program", address + at, at + len(block), len(data))
                self._download(dfuse.FIRST_DATA_BLOCK, block, begun)

    def erase(self, address: int, number: int = 1, total: int = 1) -> None:
        """Erase the page that holds `address`, the `number`-th of `total`."""
        with self._faults("erase"):
            self._select(self._alternate_of(address))
            self._download(0, dfuse.erase_command(address), Progress("erase", address, number, total))

    def leave(self, address: int) -> bool:
        """Tell the device to save its flags and reset; it begins to when this returns.

        Returns whether it answered to the end. Genuine Cores may be gone before: whether one has left is then for the
        caller to see.
        """
        commit = Progress("commit", address, 1, 1)
        with self._faults("commit"):
            self._set_pointer(address)
            try:
                self._out(dfuse.DNLOAD, dfuse.FIRST_DATA_BLOCK)
            except usb.core.USBError as error:
                return self._gone(error)
            try:
                self._status(commit)
            except usb.core.USBError as error:
                answered = self._gone(error)
                self.watch(commit)
                return answered
        return True

    def _gone(self, error: usb.core.USBError) -> bool:
        """Never an answer: a stall is one, and is raised again."""
        if error.errno == errno.EPIPE:
            raise error
        return False

    # -- how ---------------------------------------------------------------------------------------------------------

    def _pages(self, address: int, length: int) -> Iterator[int]:
        """First addresses of the pages a stretch touches; where no segment is announced they are guessed."""
        at = address
        while at < address + length:
            page, size = dfuse.page_at(self.segments, at, TRANSFER_SIZE)
            yield page
            at = page + size

    def _alternate_of(self, address: int) -> Alternate:
        """The setting whose memory holds an address; of one that nobody announces, whichever is selected."""
        return next(
            (found for found in self._alternates if found.holds(address)), self._selected or self._alternates[0]
        )

    def _select(self, alternate: Alternate) -> None:
        """Select a setting, unless it is already."""
        if alternate != self._selected:
            try:
                self.device.set_interface_altsetting(alternate.interface, alternate.number)
            except ValueError as error:  # pyusb's, where another configuration is the active one
                raise DeviceFault(f"cannot select alternate setting {alternate.number}: {error}") from error
            self._selected = alternate

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
        self.device.ctrl_transfer(0x21, request, value, self._interface, data, TIMEOUT_MS)

    def _in(self, request: int, value: int, length: int) -> Any:
        answer = self.device.ctrl_transfer(0xA1, request, value, self._interface, length, TIMEOUT_MS)
        if len(answer) != length:
            raise DeviceFault(f"{length} bytes were asked for, {len(answer)} came")
        return answer

    @contextmanager
    def _faults(self, phase: str) -> Iterator[None]:
        """Turn USB errors into ours, with the phase in which they came."""
        try:
            yield
        except usb.core.USBError as error:
            raise usb_fault(error, phase, self.device) from error
