"""A file of JSON lines that survives the death of its writer at any moment: appended to, and now and then made anew.

The first line says what it is and its version. A torn last line, as a killed writer leaves it, is dropped aloud.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from rig.errors import LabFault, Misuse
from rig.files import is_there, read_user_file

VERSION = 1
HEADER = {"rig-trust-watch": VERSION}
#: Beyond so much more than what it was when it was made anew, it is made anew again.
GROWTH = 4 << 20
#: A state is a few kilobytes for each endpoint.
MOST_STATE = 256 << 20
Line = Mapping[str, Any]


class Journal:
    """One file, open for appending by one process: a second one is refused. Raises Misuse, LabFault."""

    def __init__(self, path: Path):
        self.path = path
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._lock = _lock(path.with_suffix(".lock"))
        except OSError as error:
            raise _unwritable(path, error) from error
        try:
            #: What was read, and how many bytes of a torn last line were dropped.
            self.lines, self.torn = _read(path) if is_there(path) else ([], 0)
            self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
            self._size = os.fstat(self._file).st_size - self.torn
            os.ftruncate(self._file, self._size)
            if self._size == 0:
                self._write(HEADER)
                self.sync()
        except OSError as error:
            os.close(self._lock)
            raise _unwritable(path, error) from error
        except Misuse:
            os.close(self._lock)
            raise
        self._fresh_size = self._size

    def append(self, line: Line) -> None:
        """Add one line, all of it or nothing. Raises LabFault; whoever dies now loses nothing of it."""
        try:
            self._write(line)
        except OSError as error:
            raise LabFault(f"cannot write the watch's state {self.path}: {error.strerror}") from error

    def sync(self) -> None:
        """See what was appended on the disk: a machine that loses its power does not lose it. Raises LabFault."""
        try:
            os.fsync(self._file)
        except OSError as error:
            raise LabFault(f"cannot write the watch's state {self.path}: {error.strerror}") from error

    @property
    def is_long(self) -> bool:
        """Whether it is time to make it anew."""
        return self._size > self._fresh_size + GROWTH

    def renew(self, lines: Iterable[Line]) -> None:
        """Put these lines in the place of all others, in one step. Raises LabFault."""
        fresh = self.path.with_suffix(".new")
        try:
            with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
                for line in (HEADER, *lines):
                    file.write(_encoded(line))
                file.flush()
                os.fsync(file.fileno())
            fresh.replace(self.path)
            former, self._file = self._file, os.open(self.path, os.O_WRONLY | os.O_APPEND)
            os.close(former)
            self._size = self._fresh_size = os.fstat(self._file).st_size
            _sync_folder(self.path.parent)
        except OSError as error:
            raise LabFault(f"cannot write the watch's state {self.path}: {error.strerror}") from error

    def close(self) -> None:
        """Let another process have it."""
        os.close(self._file)
        os.close(self._lock)

    def _write(self, line: Line) -> None:
        content = _encoded(line)
        try:
            written = os.write(self._file, content)
            if written < len(content):
                raise OSError(28, "no space left")
        except OSError:
            os.ftruncate(self._file, self._size)
            raise
        self._size += len(content)


def _unwritable(path: Path, error: OSError) -> Misuse:
    return Misuse(f"cannot write the watch's state {path}: {error.strerror}", hint="--state FOLDER")


def _encoded(line: Line) -> bytes:
    return json.dumps(line, separators=(",", ":")).encode() + b"\n"


def _read(path: Path) -> tuple[list[dict[str, Any]], int]:
    raw = read_user_file(path, MOST_STATE)
    whole, _, torn = raw.rpartition(b"\n")
    found = []
    for number, text in enumerate(whole.split(b"\n") if whole else (), start=1):
        try:
            line = json.loads(text)
        except (ValueError, RecursionError):
            line = None
        if not isinstance(line, dict):
            raise Misuse(
                f"{path}:{number}: not a line of a watch's state", hint="move it away, and facts are told anew"
            )
        found.append(line)
    if found and (version := found[0].get("rig-trust-watch")) != VERSION:
        what = f"is of version {version}, and this rig reads {VERSION}" if version else "is no watch's state"
        raise Misuse(f"{path} {what}", hint="move it away, and facts are told anew")
    return found[1:], len(torn)


def _lock(path: Path) -> int:
    handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(handle)
        raise LabFault(
            f"another watch works with {path.parent}", hint="end it, or give this one its own --state"
        ) from None
    return handle


def _sync_folder(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
