"""A console that is recorded: every byte with the moment it came, whether or not anybody reads it.

A thread of its own keeps the connection from before power-on, across every loss and return of the other end. Timeouts
are set once, when a connection opens: with upstream pyserial, setting one on RFC2217 negotiates the port anew and
takes 0.3 s, with labgrid's fork it does not (reference/labgrid.md, "The serial clash").
"""

from __future__ import annotations

import json
import re
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Protocol

import attr
import serial
from labgrid import target_factory
from labgrid.driver.common import Driver
from labgrid.driver.consoleexpectmixin import ConsoleExpectMixin
from labgrid.protocol import ConsoleProtocol
from labgrid.util.proxy import proxymanager
from pexpect import TIMEOUT

from rig.drivers.place import place_name
from rig.drivers.rfc2217_port import Rfc2217Port
from rig.errors import LabFault, Misuse

POLL_SECONDS = 0.05
CONNECT_SECONDS = 3.0
RETRY_SECONDS = 0.1
#: How often a server is asked whether it is there, and after how long without an answer it hangs.
ASK_SECONDS, HANGS_SECONDS = 0.5, 1.5
#: Kinds of entries that are no bytes.
CONNECTED, LOST = "connected", "lost"


class Link(Protocol):
    """One connection to a console."""

    def read(self) -> bytes:
        """What has come, waiting a moment for it; empty when nothing has. Raises OSError when the other end is gone."""

    def write(self, data: bytes) -> None:
        """Send. Raises OSError."""

    def close(self) -> None:
        """Hang up."""


class RawLink:
    """Bytes over TCP as they are."""

    def __init__(self, host: str, port: int):
        self._sock = socket.create_connection((host, port), timeout=CONNECT_SECONDS)
        self._sock.settimeout(POLL_SECONDS)

    def read(self) -> bytes:
        """What has come."""
        try:
            data = self._sock.recv(65536)
        except TimeoutError:
            return b""
        if not data:
            raise ConnectionResetError("the console hung up")
        return data

    def write(self, data: bytes) -> None:
        """Send."""
        self._sock.sendall(data)

    def close(self) -> None:
        """Hang up."""
        self._sock.close()


class _KeepingPort(Rfc2217Port):
    """pyserial throws away, at both ends, what came while the port was being negotiated: half a second of boot log."""

    def reset_input_buffer(self) -> None:
        """Keep it."""

    def reset_output_buffer(self) -> None:
        """Keep it."""


class Rfc2217Link:
    """A serial port over telnet with port control."""

    _asked_at, _can_be_asked = 0.0, False

    def __init__(self, host: str, port: int, speed: int):
        url = f"rfc2217://{host}:{port}?ign_set_control&timeout={CONNECT_SECONDS}"
        self._port = _KeepingPort(url, baudrate=speed, timeout=POLL_SECONDS)

        self._ask()
        self._can_be_asked = self._port.answers(CONNECT_SECONDS)

    def answers(self, seconds: float) -> bool:
        """Whether the server answers within `seconds`; one that never did is believed to."""
        if self._can_be_asked:
            self._ask()
        return not self._can_be_asked or self._port.answers(seconds)

    def hangs(self) -> bool:
        """Whether the server has not answered for a while; it is asked now and then."""
        waits = time.monotonic() - self._asked_at
        if not self._can_be_asked or not self._port.answers(0):
            return self._can_be_asked and waits > HANGS_SECONDS
        if waits > ASK_SECONDS:
            self._ask()
        return False

    def _ask(self) -> None:
        self._asked_at = time.monotonic()
        self._port.ask()

    def read(self) -> bytes:
        """What has come."""
        first: bytes = self._port.read(1)
        return first + self._port.read(self._port.in_waiting) if first else b""

    def write(self, data: bytes) -> None:
        """Send."""
        self._port.write(data)

    def close(self) -> None:
        """Hang up."""
        self._port.close()


@dataclass(frozen=True, slots=True)
class Entry:
    """What came at `at_ns` (monotonic): bytes, or `connected` or `lost` without any."""

    at_ns: int
    kind: str
    data: bytes = b""


class ConsoleRecorder:
    """Records a console at `host`:`port` over `protocol` raw or rfc2217; entries go to `keep` too, a line each.

    Start it before the board has power. Raises Misuse for another protocol.
    """

    def __init__(self, host: str, port: int, *, protocol: str = "raw", speed: int = 115200, keep: Path | None = None):
        if protocol not in ("raw", "rfc2217"):
            raise Misuse(f"no console speaks {protocol!r}", hint="raw or rfc2217")
        self._address, self._protocol, self._speed = (host, port), protocol, speed
        self._keep = keep
        self._file: IO[str] | None = None
        self._entries: list[Entry] = []
        self._link: Link | None = None
        self._hung_ns = 0
        self._news = threading.Condition()
        self._listeners: list[Callable[[Entry], None]] = []
        self._stop = threading.Event()
        self._lent, self._idle = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"console {host}:{port}", daemon=True)

    def start(self) -> None:
        """Begin to record; a console that is not there yet is waited for. Raises Misuse for a bad `keep`."""
        try:
            self._file = self._keep.open("a", encoding="utf-8") if self._keep is not None else None
        except OSError as error:
            raise Misuse(f"cannot keep the console in {self._keep}: {error.strerror}") from error
        self._thread.start()

    def stop(self) -> None:
        """End, with everything that has come written down."""
        self._stop.set()
        self._thread.join()

    @contextmanager
    def lent(self) -> Iterator[None]:
        """While inside, the other end is somebody else's: serial ports have one client at a time."""
        self._lent.set()
        self._idle.wait(CONNECT_SECONDS)
        try:
            yield
        finally:
            self._idle.clear()
            self._lent.clear()

    @contextmanager
    def heard_by(self, listener: Callable[[Entry], None]) -> Iterator[None]:
        """While inside, `listener` is told each entry as it comes, on the recorder's own thread."""
        self._listeners.append(listener)
        try:
            yield
        finally:
            self._listeners.remove(listener)

    @property
    def entries(self) -> list[Entry]:
        """Everything so far."""
        with self._news:
            return list(self._entries)

    @property
    def text(self) -> bytes:
        """All bytes so far."""
        return b"".join(entry.data for entry in self.entries)

    @property
    def connected(self) -> bool:
        """Whether the other end is there now."""
        return self._link is not None

    def hung_since(self, since_ns: int) -> bool:
        """Whether the server behind the connection was seen to hang after a moment: silence says nothing then."""
        return self._hung_ns > since_ns

    def answers(self, seconds: float) -> bool:
        """Whether the other end is there and answers within `seconds`, as far as it can be asked: a raw one cannot."""
        deadline = time.monotonic() + seconds
        while (link := self._link) is None:
            if time.monotonic() > deadline:
                return False
            self._stop.wait(POLL_SECONDS)
        try:
            return not isinstance(link, Rfc2217Link) or link.answers(max(deadline - time.monotonic(), POLL_SECONDS))
        except (OSError, serial.SerialException):
            return False

    def write(self, data: bytes) -> None:
        """Send. Raises LabFault while the other end is not there."""
        link = self._link
        if link is None:
            raise LabFault(f"no console at {self._address[0]}:{self._address[1]}", hint="is the board powered?")
        try:
            link.write(data)
        except (OSError, serial.SerialException) as error:
            raise LabFault(f"the console does not take what we send: {error}") from error

    def wait_for(self, pattern: bytes, *, seconds: float, since_ns: int = 0) -> Entry | None:
        """The entry in which `pattern` (a regular expression) was complete, among those since a moment; or None."""
        deadline = time.monotonic() + seconds
        with self._news:
            while True:
                found = _find(pattern, [entry for entry in self._entries if entry.at_ns >= since_ns])
                left = deadline - time.monotonic()
                if found is not None or left <= 0:
                    return found
                self._news.wait(left)

    def wait_for_more(self, known: int, seconds: float) -> bytes:
        """The bytes behind the first `known` ones, waiting for some; empty when none came in time."""
        with self._news:
            self._news.wait_for(lambda: sum(len(entry.data) for entry in self._entries) > known, seconds)
            return b"".join(entry.data for entry in self._entries)[known:]

    def _run(self) -> None:
        keep = self._file
        try:
            while not self._stop.is_set():
                if self._lent.is_set():
                    self._idle.set()
                    self._stop.wait(POLL_SECONDS)
                    continue
                try:
                    self._link = self._connect()
                except (OSError, serial.SerialException):
                    self._stop.wait(RETRY_SECONDS)
                    continue
                self._note(Entry(time.monotonic_ns(), CONNECTED), keep)
                self._listen(self._link, keep)
        finally:
            if keep is not None:
                keep.close()

    def _connect(self) -> Link:
        if self._protocol == "raw":
            return RawLink(*self._address)
        return Rfc2217Link(*self._address, self._speed)

    def _listen(self, link: Link, keep: IO[str] | None) -> None:
        try:
            while not self._stop.is_set() and not self._lent.is_set():
                if isinstance(link, Rfc2217Link) and link.hangs():
                    self._hung_ns = time.monotonic_ns()
                if data := link.read():
                    self._note(Entry(time.monotonic_ns(), "bytes", data), keep)
        except (OSError, serial.SerialException):
            self._note(Entry(time.monotonic_ns(), LOST), keep)
        finally:
            self._link = None
            link.close()

    def _note(self, entry: Entry, keep: IO[str] | None) -> None:
        if keep is not None:
            told = {"at_ns": entry.at_ns, "kind": entry.kind, "data": entry.data.decode("latin-1")}
            keep.write(json.dumps(told) + "\n")
            keep.flush()
        with self._news:
            self._entries.append(entry)
            self._news.notify_all()
        for listener in tuple(self._listeners):
            listener(entry)


def _find(pattern: bytes, entries: list[Entry]) -> Entry | None:
    match = re.search(pattern, b"".join(entry.data for entry in entries))
    if match is None:
        return None
    come = 0
    for entry in entries:
        come += len(entry.data)
        if entry.data and come >= match.end():
            return entry
    return None


@target_factory.reg_driver
@attr.s(eq=False)
class RecordedConsoleDriver(ConsoleExpectMixin, Driver, ConsoleProtocol):  # type: ignore[misc]
    """labgrid's console protocol on top of a recording: reading takes nothing away from it.

    `keep` is a file the recording goes to.
    """

    bindings = {"port": "NetworkSerialPort"}  # noqa: RUF012 (labgrid's convention)
    keep: str = attr.ib(default="", validator=attr.validators.instance_of(str))
    txdelay: float = attr.ib(default=0.0, validator=attr.validators.instance_of(float))
    txchunk: int = attr.ib(default=1, validator=attr.validators.instance_of(int))

    def on_activate(self) -> None:
        """Begin to record."""
        host, port = proxymanager.get_host_and_port(self.port)
        self.recorder = ConsoleRecorder(
            host,
            int(port),
            protocol=self.port.protocol,
            speed=int(self.port.speed),
            keep=Path(self.keep) if self.keep else None,
        )
        self._seen = 0
        self.recorder.start()

    def on_deactivate(self) -> None:
        """End the recording."""
        self.recorder.stop()

    def _read(self, size: int = 1, timeout: float = 0.0, max_size: int | None = None) -> bytes:
        """What has come since the last read. Raises pexpect's TIMEOUT when nothing has."""
        more = self.recorder.wait_for_more(self._seen, timeout)
        data = more[:max_size] if max_size else more
        if not data:
            raise TIMEOUT(f"nothing from the console of {place_name(self.target)} in {timeout:.2f} s")
        self._seen += len(data)
        return data

    def _write(self, data: bytes) -> int:
        self.recorder.write(data)
        return len(data)
