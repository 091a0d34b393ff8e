"""What a console said, with a bound in memory and on disk: where bytes were dropped for it, there is a mark.

The newest are kept: what a board said before it went wrong is worth most.
"""

from __future__ import annotations

import json
import logging
import re
import threading
from collections import deque
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from rig.clock import Clock, Deadline
from rig.errors import Misuse

log = logging.getLogger(__name__)

#: Kinds of entries that are no bytes.
CONNECTED, LOST, DROPPED = "connected", "lost", "dropped"
#: A start says 2 KB and a night's chatter at 115,200 baud is 41 MB an hour: in memory there are the last six minutes of
#: that, and of single bytes so many.
MOST_BYTES, MOST_ENTRIES = 4 << 20, 50_000
#: Of a file and of the one before it: some hours of chatter.
MOST_ON_DISK = 64 << 20


@dataclass(frozen=True, slots=True)
class Entry:
    """What came at `at_ns` (monotonic): bytes, or `connected` or `lost` without any.

    `dropped` stands for the bytes before it that are not kept, `count` of them.
    """

    at_ns: int
    kind: str
    data: bytes = b""
    count: int = 0

    def to_dict(self) -> dict[str, object]:
        """As JSON; bytes as Latin-1."""
        fields: dict[str, object] = {"at_ns": self.at_ns, "kind": self.kind, "data": self.data.decode("latin-1")}
        return {**fields, "count": self.count} if self.kind == DROPPED else fields


class Recording:
    """The newest entries, oldest first; read from any thread."""

    def __init__(self, most_bytes: int = MOST_BYTES, most_entries: int = MOST_ENTRIES):
        self._most_bytes, self._most_entries = most_bytes, most_entries
        self._entries: deque[Entry] = deque()
        self._dropped: Entry | None = None
        self._kept = 0
        self._news = threading.Condition()

    def add(self, entry: Entry) -> None:
        """Something came."""
        with self._news:
            self._entries.append(entry)
            self._kept += len(entry.data)
            while len(self._entries) > 1 and self._is_too_much():
                self._drop(self._entries.popleft())
            self._news.notify_all()

    @property
    def entries(self) -> list[Entry]:
        """All that is kept, behind a mark where something is not."""
        with self._news:
            return self._marked()

    @property
    def size(self) -> int:
        """How many bytes have come, kept or not."""
        with self._news:
            return self._size()

    def wait_for(self, pattern: bytes, *, seconds: float, since_ns: int = 0) -> Entry | None:
        """The entry in which `pattern` (a regular expression) was complete, among those since a moment; or None."""
        deadline = Deadline(seconds, Clock())
        while True:
            left = deadline.left()
            with self._news:
                found = _find(pattern, [entry for entry in self._entries if entry.at_ns >= since_ns])
                if found is not None or not left:
                    return found
                self._news.wait(left)

    def wait_for_more(self, known: int, seconds: float) -> tuple[int, bytes]:
        """The bytes behind the first `known` that came, waiting for some, and how many came before those that are kept.

        Empty when none came in time.
        """
        with self._news:
            self._news.wait_for(lambda: self._size() > known, seconds)
            begin = max(known, self._size() - self._kept)
            kept = b"".join(entry.data for entry in self._entries)
            return begin, kept[begin - (self._size() - self._kept) :]

    def _size(self) -> int:
        return self._kept + (self._dropped.count if self._dropped is not None else 0)

    def _is_too_much(self) -> bool:
        return self._kept > self._most_bytes or len(self._entries) > self._most_entries

    def _drop(self, entry: Entry) -> None:
        before = self._dropped.count if self._dropped is not None else 0
        self._dropped = Entry(entry.at_ns, DROPPED, count=before + len(entry.data))
        self._kept -= len(entry.data)

    def _marked(self) -> list[Entry]:
        return list(self._entries) if self._dropped is None else [self._dropped, *self._entries]


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


class RecordingFile:
    """A recording on disk, a JSON line an entry; a file that is full becomes `NAME.before`, in place of that one.

    Raises Misuse for a file that cannot be written.
    """

    def __init__(self, path: Path, most: int = MOST_ON_DISK):
        self._path, self._most = path, most // 2
        self._before = path.with_name(f"{path.name}.before")
        #: Bytes of the console in this file and in the one before, and in those that are gone.
        self._here, self._there, self._gone = 0, 0, 0
        try:
            self._file: IO[str] | None = path.open("a", encoding="utf-8")
        except OSError as error:
            raise Misuse(f"cannot keep the console in {path}: {error.strerror}") from error

    def write(self, entry: Entry) -> None:
        """Keep an entry; where the disk takes no more, that is told once, and the recording goes on in memory."""
        if self._file is None:
            return
        try:
            if self._file.tell() >= self._most:
                self._turn(entry.at_ns)
            self._file.write(json.dumps(entry.to_dict()) + "\n")
            self._file.flush()
            self._here += len(entry.data)
        except OSError as error:
            log.warning("the console is kept in %s no more: %s", self._path, error.strerror)
            self._file = None

    def close(self) -> None:
        """Nothing more comes."""
        if self._file is not None:
            self._file.close()

    def _turn(self, at_ns: int) -> None:
        """Begin the file anew; it says how many bytes are in neither file now."""
        assert self._file is not None
        self._file.close()
        self._path.replace(self._before)
        self._gone += self._there
        self._there, self._here = self._here, 0
        self._file = self._path.open("w", encoding="utf-8")
        self._file.write(json.dumps(Entry(at_ns, DROPPED, count=self._gone).to_dict()) + "\n")
