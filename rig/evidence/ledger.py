"""The ledger: one JSON line for every cut and swap, append-only, on the disk line by line, each chained to the last.

A line is an `intent` (before the relay opens) or a `cut` (when the outcome is known), a `swap-intent` or a `swap`, or
`compared`: how an outcome is beside what was expected. A reader tells a torn last line from a damaged one. One segment
a worker; the run's manifest names segments and heads.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

from rig.errors import LabFault, Misuse
from rig.evidence.ledger_line import chained, encode
from rig.evidence.segment import LONGEST_LINE, Segment
from rig.files import make_folder, writing


class Ledger:
    """One segment, open for appending by one process. Raises Misuse, and LabFault where the disk is full."""

    def __init__(self, path: Path):
        self.path = path
        make_folder(path.parent)
        with writing(path):
            handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NONBLOCK, 0o666)
            self._file = os.fdopen(handle, "ab", buffering=0)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            segment = Segment(path).read()
            with writing(path):
                self._size = os.fstat(handle).st_size - segment.torn
                os.ftruncate(handle, self._size)
        except BlockingIOError:
            self._file.close()
            raise Misuse(f"another process writes the ledger {path}", hint="wait for it, or name another") from None
        except BaseException:
            self._file.close()
            raise
        self.head, self.lines = segment.head, segment.lines

    def append(self, kind: str, content: Mapping[str, Any]) -> dict[str, Any]:
        """Write one line and see it on the disk before returning; returns the line.

        Raises LabFault where it is not on the disk then: the ledger ends where it ended before.
        """
        if taken := {"kind", "hash"} & set(content):
            raise Misuse(f"a line's content has no {min(taken)} of its own")
        body = {"kind": kind, **content}
        head = chained(self.head, encode(body))
        line = {**body, "hash": head}
        self._write(encode(line) + b"\n")
        self.head, self.lines = head, self.lines + 1
        return line

    def _write(self, raw: bytes) -> None:
        if len(raw) > LONGEST_LINE:
            raise Misuse(f"a line of {len(raw):,} bytes is too long for the ledger {self.path}")
        handle = self._file.fileno()
        if os.fstat(handle).st_nlink == 0:
            raise LabFault(f"the ledger {self.path} was removed while it was written", hint="start the run again")
        with writing(self.path):
            try:
                if os.write(handle, raw) < len(raw):
                    os.write(handle, raw)  # says why it does not take all
                os.fsync(handle)
            except OSError:
                os.ftruncate(handle, self._size)
                raise
        self._size += len(raw)

    def close(self) -> None:
        """Close the segment; one without any line is nobody's."""
        if self._size == 0 and not self._file.closed:
            self.path.unlink(missing_ok=True)
        self._file.close()

    def __enter__(self) -> Ledger:
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self.close()


def read_ledger(path: Path) -> Iterator[dict[str, Any]]:
    """The lines of a segment, their chain checked; a torn last line, as a killed run leaves it, is passed over.

    Raises Misuse that names file and line for anything else that is wrong.
    """
    return map(json.loads, Segment(path))


def unfinished(path: Path) -> list[dict[str, Any]]:
    """Intents without a cut or a swap: what a run was doing when it was killed. Raises Misuse."""
    pending: dict[str, dict[str, Any]] = {}
    for line in read_ledger(path):
        if line["kind"] in ("intent", "swap-intent"):
            pending[line["trial"]] = line
        elif line["kind"] in ("cut", "swap"):
            pending.pop(line["trial"], None)
    return list(pending.values())
