"""What an ESP32's console says of its starts: which way it booted, what it loaded, who runs, how far an update is."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager

from rig.drivers.console import ConsoleRecorder
from rig.drivers.progress import Progress, Watcher
from rig.drivers.recording import Entry

#: Signs that a board's console gives of itself.
RUNS, DOWNLOAD, LOOPS = "application", "download", "restarts"
#: An application shows itself, again and again, and never goes on.
CRASHES = "crashes"
ALIVE = (RUNS,)
#: No token is in a longer line; a board that says no line ends needs no more.
LONGEST_LINE = 4096
BANNER = rb"rst:0x[0-9a-f]+ \(\w+\),boot:0x[0-9a-f]+"
#: What tells where a start ended, in the order they are looked for.
_LOADED = re.compile(rb"Loaded app from partition at offset 0x([0-9a-f]+)")
_SIGNS = (
    (DOWNLOAD, re.compile(rb"waiting for download")),
    (RUNS, re.compile(rb"app_init: App version:\s+(\S+)")),
    (LOOPS, re.compile(rb"No bootable app partitions|invalid header: 0x|flash read err|csum err|load partition table")),
)

#: Phases that a cut can aim at, by what the console says when they begin.
TOKENS = {
    "start": b",boot:0x",
    "boot": b"End of partition table",
    "load": b"Loaded app from partition",
    "app": b"app_init: App version",
    "begin": b"Starting OTA",
    "chosen": b"upgrade successful",
    "online": b"connected to the network",
    "confirmed": b"App is valid",
}


class BootLog:
    """The recording of one board's console, read from the last start that we caused."""

    def __init__(self, recorder: ConsoleRecorder):
        self._recorder = recorder
        self._since_ns = 0

    def begin(self) -> None:
        """The board starts now: what it said before does not count."""
        self._since_ns = time.monotonic_ns()

    def said(self) -> bytes:
        """What the console said since the last start that we caused."""
        return b"".join(entry.data for entry in self._recorder.entries if entry.at_ns >= self._since_ns)

    def last_start(self) -> bytes:
        """What the console said since the board last started, by whatever cause."""
        said = self.said()
        starts = [match.start() for match in re.finditer(BANNER, said)]
        return said[starts[-1] :] if starts else b""

    def starts(self) -> int:
        """How often the board has started since we started it, by whatever cause."""
        return len(re.findall(BANNER, self.said()))

    def is_online(self) -> bool:
        """Whether the application that runs says that it is in the network."""
        return TOKENS["online"] in self.last_start()

    def sign(self) -> str | None:
        """What its console shows of the last start: `application`, `download`, `restarts`; None for nothing yet."""
        said = self.last_start()
        for sign, token in _SIGNS:
            if token.search(said):
                return sign
        return None

    def loaded(self) -> int | None:
        """Flash offset of the application that the last start loaded, as the console tells it."""
        found = _LOADED.findall(self.last_start())
        return int(found[-1], 16) if found else None

    def version(self) -> str | None:
        """The version that the running application says."""
        found = _SIGNS[1][1].search(self.last_start())
        return found[1].decode("utf-8", "replace") if found else None

    def wait_for(self, token: bytes, seconds: float) -> bool:
        """Whether `token` (a regular expression) comes on the console since the last start that we caused."""
        return self._recorder.wait_for(token, seconds=seconds, since_ns=self._since_ns) is not None

    @contextmanager
    def watched(self, watch: Watcher) -> Iterator[None]:
        """While inside, `watch` is told of phases as the console tells them: those of TOKENS."""
        line = bytearray()

        def hear(entry: Entry) -> None:
            line.extend(entry.data)
            *whole, rest = bytes(line).split(b"\n")
            line[:] = rest[-LONGEST_LINE:]
            for said in whole:
                for phase, token in TOKENS.items():
                    if token in said:
                        watch(Progress(phase, 0, 1, 1))

        with self._recorder.notifying(hear):
            yield
