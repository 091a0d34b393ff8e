"""A console that is recorded: every byte with the moment it came, whether or not anybody reads it.

A thread of its own keeps the connection from before power-on, across every loss and return of the other end.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import attr
import serial
from labgrid import target_factory
from labgrid.driver.common import Driver
from labgrid.driver.consoleexpectmixin import ConsoleExpectMixin
from labgrid.protocol import ConsoleProtocol
from labgrid.util.proxy import proxymanager
from pexpect import TIMEOUT

from rig.drivers.console_link import CONNECT_SECONDS, POLL_SECONDS, Link, RawLink, Rfc2217Link
from rig.drivers.place import place_name
from rig.drivers.recording import CONNECTED, LOST, Entry, Recording, RecordingFile
from rig.errors import LabFault, Misuse
from rig.ports import format_address

RETRY_SECONDS = 0.1


class ConsoleRecorder:
    """Records a console at `host`:`port` over `protocol` raw or rfc2217; entries go to `keep` too, a line each.

    The newest are kept, behind a mark that tells what was dropped.

    Start it before the board has power. Raises Misuse for another protocol.
    """

    def __init__(self, host: str, port: int, *, protocol: str = "raw", speed: int = 115200, keep: Path | None = None):
        if protocol not in ("raw", "rfc2217"):
            raise Misuse(f"no console speaks {protocol!r}", hint="raw or rfc2217")
        self._address, self._protocol, self._speed = (host, port), protocol, speed
        self._keep = keep
        self._file: RecordingFile | None = None
        self._recording = Recording()
        self._link: Link | None = None
        self._hung_ns = 0
        #: Whether the server at the other end has said that what hangs on it is a twin; False says nothing.
        self.serves_twin = False
        self._listeners: list[Callable[[Entry], None]] = []
        self._stop = threading.Event()
        self._lent, self._idle = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"console {format_address(host, port)}", daemon=True)

    def start(self) -> None:
        """Begin to record; a console that is not there yet is waited for. Raises Misuse for a bad `keep`."""
        self._file = RecordingFile(self._keep) if self._keep is not None else None
        self._thread.start()

    def stop(self) -> None:
        """End, with everything that has come written down."""
        self._stop.set()
        self._thread.join()

    @contextmanager
    def released(self) -> Iterator[None]:
        """While inside, the other end is somebody else's: serial ports have one client at a time."""
        self._lent.set()
        self._idle.wait(CONNECT_SECONDS)
        try:
            yield
        finally:
            self._idle.clear()
            self._lent.clear()

    @contextmanager
    def notifying(self, listener: Callable[[Entry], None]) -> Iterator[None]:
        """While inside, `listener` is told each entry as it comes, on the recorder's own thread."""
        self._listeners.append(listener)
        try:
            yield
        finally:
            self._listeners.remove(listener)

    @property
    def entries(self) -> list[Entry]:
        """Everything so far that is kept."""
        return self._recording.entries

    @property
    def text(self) -> bytes:
        """All bytes so far that are kept."""
        return b"".join(entry.data for entry in self.entries)

    def text_until(self, at_ns: int) -> bytes:
        """The same of what had come by a moment (monotonic)."""
        return b"".join(entry.data for entry in self.entries if entry.at_ns <= at_ns)

    @property
    def size(self) -> int:
        """How many bytes have come, kept or not."""
        return self._recording.size

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
        return self._recording.wait_for(pattern, seconds=seconds, since_ns=since_ns)

    def wait_for_more(self, known: int, seconds: float) -> bytes:
        """The bytes behind the first `known` that came, waiting for some: those that are kept; empty for none."""
        return self._recording.wait_for_more(known, seconds)[1]

    def wait_for_unread(self, read: int, seconds: float) -> tuple[int, bytes]:
        """The same for who reads on: where the bytes begin, later than `read` where some were dropped unread."""
        return self._recording.wait_for_more(read, seconds)

    def _run(self) -> None:
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
                self._note(Entry(time.monotonic_ns(), CONNECTED))
                self._listen(self._link)
        finally:
            if self._file is not None:
                self._file.close()

    def _connect(self) -> Link:
        if self._protocol == "raw":
            return RawLink(*self._address)
        link = Rfc2217Link(*self._address, self._speed)
        self.serves_twin |= link.serves_twin
        return link

    def _listen(self, link: Link) -> None:
        try:
            while not self._stop.is_set() and not self._lent.is_set():
                if isinstance(link, Rfc2217Link) and link.hangs():
                    self._hung_ns = time.monotonic_ns()
                if data := link.read():
                    self._note(Entry(time.monotonic_ns(), "bytes", data))
        except (OSError, serial.SerialException):
            self._note(Entry(time.monotonic_ns(), LOST))
        finally:
            self._link = None
            link.close()

    def _note(self, entry: Entry) -> None:
        if self._file is not None:
            self._file.write(entry)
        self._recording.add(entry)
        for listener in tuple(self._listeners):
            listener(entry)


@target_factory.reg_driver
@attr.s(eq=False)
class RecordedConsoleDriver(ConsoleExpectMixin, Driver, ConsoleProtocol):  # type: ignore[misc]
    """labgrid's console protocol on top of a recording: reading takes nothing away from it.

    `keep` is a file the recording goes to.
    """

    bindings = {"port": {"NetworkSerialPort", None}}  # noqa: RUF012 (labgrid's convention; None: a place may lack it)
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
        begin, more = self.recorder.wait_for_unread(self._seen, timeout)
        data = more[:max_size] if max_size else more
        if not data:
            raise TIMEOUT(f"nothing from the console of {place_name(self.target)} in {timeout:.2f} s")
        self._seen = begin + len(data)
        return data

    def _write(self, data: bytes) -> int:
        self.recorder.write(data)
        return len(data)
