"""A segment of a ledger on disk, read line by line in bounded memory, each line checked against the one before."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from pathlib import Path

from rig.errors import Misuse
from rig.evidence.ledger_line import GENESIS, LineReader, NotALine, chained
from rig.files import open_user_file, unreadable

#: Bytes of a line at most.
LONGEST_LINE = 1 << 20


class Changed(Misuse):
    """A line is not what was written; `line` is its number."""

    def __init__(self, path: Path, line: int, what: str, hint: str | None = None):
        super().__init__(f"{path}:{line}: {what}", hint=hint)
        self.line = line
        self.what = what


class Segment:
    """Iterating yields the bytes of each line, without its end; what is known afterwards is of the lines so far.

    A torn last line, as a killed writer leaves it, is passed over and counted. Raises Changed, and Misuse for what is
    no file.
    """

    def __init__(self, path: Path):
        self.path = path
        self.lines = 0
        #: The hash of the last line.
        self.head = GENESIS
        #: Bytes of a last line without an end.
        self.torn = 0
        self._reader = LineReader()

    @property
    def runs(self) -> set[str]:
        """The runs that lines say they are of."""
        return self._reader.runs

    def __iter__(self) -> Iterator[bytes]:
        try:
            with open_user_file(self.path) as file:
                while raw := file.readline(LONGEST_LINE):
                    if not raw.endswith(b"\n"):
                        self._end_torn(raw)
                        return
                    raw = raw[:-1]
                    self._check(raw)
                    yield raw
        except OSError as error:
            raise unreadable(self.path, error) from error

    def read(self) -> Segment:
        """Read to the end."""
        for _ in self:
            pass
        return self

    def _check(self, raw: bytes) -> None:
        number = self.lines + 1
        try:
            body, stated = self._reader.split(raw)
        except NotALine as error:
            raise Changed(self.path, number, f"not a ledger line: {error}") from None
        if stated != chained(self.head, body):
            raise Changed(self.path, number, "the chain is broken", "the line or one before it was changed")
        self.head, self.lines = stated, number

    def _end_torn(self, raw: bytes) -> None:
        if len(raw) == LONGEST_LINE:
            raise Changed(self.path, self.lines + 1, f"it is longer than {LONGEST_LINE:,} bytes")
        self.torn = len(raw)


def is_written(path: Path) -> bool:
    """Whether somebody has a segment open to write."""
    with open_user_file(path) as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except OSError:
            return True
    return False
