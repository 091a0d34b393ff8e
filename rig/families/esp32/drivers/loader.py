"""The serial path into an ESP32: its ROM loader and the stub, by esptool as a library."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Protocol

from rig.drivers.progress import Progress, Watcher, ignore_progress
from rig.errors import DeviceFault, LabFault, Misuse, NoAnswer
from rig.ports import format_address, read_address

ROM_BAUD = 115200
#: esptool's own default.
TIMEOUT_SECONDS = 3.0
FLASH_SIZE = 4 << 20
#: Phases in which a conversation may fail before it has begun: the port is not to be had, or nobody answers at it.
NO_PORT, NO_ANSWER = "port", "sync"


class PortAddress(Protocol):
    """Where a serial port is to be had: over a network, at this machine, or in memory."""

    @property
    def url(self) -> str:
        """What it is called."""

    @property
    def protocol(self) -> str:
        """As in SerialAddress."""

    def open(self) -> Any:
        """A pyserial port, or what behaves like one."""


@dataclass(frozen=True, slots=True)
class SerialAddress:
    """Where a board's serial port is: `protocol` is rfc2217 or raw, as labgrid calls them, or local for a device."""

    host: str
    port: int = 0
    protocol: str = "rfc2217"

    @classmethod
    def parse(cls, text: str) -> SerialAddress:
        """From `rfc2217://HOST:PORT`, `socket://HOST:PORT` or the path of a device. Raises Misuse."""
        scheme, colon, rest = text.partition("://")
        if not colon:
            return cls(text, protocol="local")
        if scheme not in ("rfc2217", "socket"):
            raise Misuse(
                f"--port {text}: {scheme} is unknown", hint="a device, rfc2217://HOST:PORT or socket://HOST:PORT"
            )
        host, port = read_address(rest.partition("?")[0].rstrip("/"), "--port", "rfc2217://127.0.0.1:4000")
        return cls(host, port, "rfc2217" if scheme == "rfc2217" else "raw")

    @property
    def url(self) -> str:
        """For pyserial. Plain sockets have no lines to reset a board by."""
        if self.protocol == "local":
            return self.host
        if self.protocol == "rfc2217":
            return f"rfc2217://{format_address(self.host, self.port)}?ign_set_control"
        return f"socket://{format_address(self.host, self.port)}"

    def open(self) -> Any:
        """A pyserial port. Raises what pyserial does."""
        import serial

        from rig.drivers.rfc2217_port import Rfc2217Port

        if self.protocol == "rfc2217":
            return Rfc2217Port(self.url, baudrate=ROM_BAUD, timeout=TIMEOUT_SECONDS)
        return serial.serial_for_url(self.url, baudrate=ROM_BAUD, timeout=TIMEOUT_SECONDS)


class RomLoader:
    """A conversation with the loader of one board. Use as a context manager; leaving it lets the port go.

    `resets` says whether DTR and RTS bring the board into download mode; without it must wait there already. `watch` is
    told of phases: connect, erase, program, read.
    """

    def __init__(self, address: PortAddress, *, resets: bool, stub: bool = True, watch: Watcher = ignore_progress):
        self._address, self._resets, self._stub = address, resets, stub
        self.watch = watch
        self._port: Any = None
        self._esp: Any = None

    def __enter__(self) -> RomLoader:
        from esptool.cmds import attach_flash, detect_chip, run_stub
        from esptool.logger import log

        log.set_verbosity("silent")
        with self._spoken(NO_PORT):
            self._port = self._address.open()
        with self._spoken(NO_ANSWER):
            try:
                mode = "default-reset" if self._resets and self._address.protocol != "raw" else "no-reset"
                self._esp = detect_chip(self._port, ROM_BAUD, mode)
                if self._stub:
                    self._esp = run_stub(self._esp)
                attach_flash(self._esp)
            except BaseException:
                if mode == "default-reset":
                    self._let_start()
                self.close()
                raise
        self.watch(Progress("connect", 0, 1, 1))
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let the port go, from any thread: whoever waits for an answer gets a LabFault."""
        if self._port is not None:
            self._port.close()

    @property
    def chip(self) -> str:
        """What it is, such as `ESP32-D0WD-V3 (revision v3.0)`."""
        with self._spoken("read"):
            return str(self._esp.get_chip_description())

    @property
    def mac(self) -> str:
        """The base address, six pairs of hex digits."""
        with self._spoken("read"):
            return ":".join(f"{byte:02x}" for byte in self._esp.read_mac("BASE_MAC"))

    @property
    def revision(self) -> int:
        """Its chip's revision, major*100+minor."""
        with self._spoken("read"):
            return int(self._esp.get_chip_revision())

    @property
    def reported_flash_size(self) -> int | None:
        """Bytes of flash, as its own identity says; None where it says nothing that is known."""
        from esptool.cmds import detect_flash_size

        with self._spoken("read"):
            reported = str(detect_flash_size(self._esp))
        megabytes = reported.removesuffix("MB")
        return int(megabytes) << 20 if megabytes.isdigit() else None

    @property
    def flash_size(self) -> int:
        """The same, taken for 4 MB where it says nothing that is known."""
        return self.reported_flash_size or FLASH_SIZE

    def read(self, address: int, length: int) -> bytes:
        """`length` bytes of flash. Raises LabFault when the board stops answering."""
        with self._spoken("read"):
            data: bytes = self._esp.read_flash(address, length, self._read_progress(address, length))
        return data

    def digest(self, address: int, length: int) -> str:
        """MD5 of a stretch of flash, as the board computes it, in hex."""
        with self._spoken("read"):
            return str(self._esp.flash_md5sum(address, length))

    def erase(self, address: int, length: int) -> None:
        """Erase whole sectors of 4 KiB."""
        with self._spoken("erase"):
            self.watch(Progress("erase", address, 0, length))
            if self._esp.IS_STUB:
                self._esp.erase_region(address, length)
            else:
                self._esp.flash_begin(length, address, logging=False)
            self.watch(Progress("erase", address, length, length))

    def write(self, address: int, data: bytes) -> None:
        """Erase and program, compressed, and compare digests. Raises DeviceFault when flash holds something else."""
        padded = data.ljust(-(-len(data) // 4) * 4, b"\xff")
        with self._spoken("program"):
            for done, send in self._blocks(address, padded):
                send()
                self.watch(Progress("program", address + done, done, len(padded)))
        if self.digest(address, len(padded)) != hashlib.md5(padded, usedforsecurity=False).hexdigest():
            raise DeviceFault(f"flash at {address:#x} reads back different", phase="program")

    def restart(self) -> None:
        """Let it start by EN. A port without lines cannot."""
        with self._spoken("restart"):
            if self._address.protocol != "raw":
                self._esp.hard_reset()

    def _let_start(self) -> None:
        """A board that was brought into download mode for a conversation that never began is not left there."""
        from esptool.reset import HardReset

        with contextlib.suppress(Exception):  # the port may be what is gone
            self._port.dtr = False  # else both lines are asserted, and EN stays as it is
            HardReset(self._port)()

    def _blocks(self, address: int, data: bytes) -> Iterator[tuple[int, Callable[[], None]]]:
        """Each block of a write: how many bytes of `data` it completes, at least, and what sends it."""
        esp, size = self._esp, self._esp.FLASH_WRITE_SIZE
        packed = zlib.compress(data, 9)
        self.watch(Progress("erase", address, 0, len(data)))
        if len(packed) < len(data):
            esp.flash_defl_begin(len(data), len(packed), address)
            count = -(-len(packed) // size)
            for number in range(count):
                block = packed[number * size : (number + 1) * size]
                timeout = TIMEOUT_SECONDS + 40e-6 * len(data)
                yield len(data) * (number + 1) // count, _sends(esp.flash_defl_block, block, number, timeout)
            return
        esp.flash_begin(len(data), address, logging=False)
        for number in range(-(-len(data) // size)):
            block = data[number * size : (number + 1) * size].ljust(size, b"\xff")
            yield min((number + 1) * size, len(data)), _sends(esp.flash_block, block, number, TIMEOUT_SECONDS)

    def _read_progress(self, address: int, length: int) -> Callable[..., None]:
        def report(done: int, *_rest: int) -> None:
            self.watch(Progress("read", address + done, done, length))

        return report

    @contextmanager
    def _spoken(self, phase: str) -> Iterator[None]:
        """What esptool and the port raise, as faults of ours."""
        import serial
        from esptool.util import FatalError

        try:
            yield
        except (FatalError, serial.SerialException, OSError, AttributeError, TypeError) as error:
            if isinstance(error, (AttributeError, TypeError)) and getattr(self._port, "is_open", False):
                raise  # pyserial's own way to say that a port was closed while somebody reads
            text = " ".join(str(error).split()).partition(" For troubleshooting")[0].rstrip(".")
            lost = phase == NO_ANSWER and not isinstance(error, FatalError)  # the port went, not the board
            fault = NoAnswer if phase == NO_ANSWER and not lost else LabFault
            raise fault(
                f"the loader at {self._address.url.partition('?')[0]}: {text}",
                phase=NO_PORT if lost else phase,
                hint=self._hint(error, NO_PORT if lost else phase),
            ) from error

    def _hint(self, error: Exception, phase: str) -> str:
        """What to look at, by what went wrong."""
        if phase == NO_PORT:
            known = {errno.ENOENT: "is it plugged in?", errno.EACCES: "may you open it? See the group dialout"}
            known[errno.EBUSY] = known[errno.EAGAIN] = "who else has it open?"
            served = "is a serial port served there, and free?"
            default = "is it plugged in?" if self._address.protocol == "local" else served
            return known.get(getattr(error, "errno", None) or 0, default)
        if phase != NO_ANSWER:
            return "has the board lost its power?"
        if not self._resets:
            return "is the board powered, and in download mode?"
        if self._address.protocol == "raw":
            return "plain sockets have no DTR and RTS: hold BOOT and press EN before, or use rfc2217://"
        return "is the board powered, and do DTR and RTS reach EN and GPIO0?"


def _sends(method: Callable[..., Any], block: bytes, number: int, timeout: float) -> Callable[[], None]:
    return lambda: method(block, number, timeout=timeout)
