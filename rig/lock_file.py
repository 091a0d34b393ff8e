"""A lock between processes: a file beside what it guards, that is there for this alone.

What is guarded may be replaced or removed meanwhile, and a folder may be locked by others: neither is a lock for this.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import weakref
from pathlib import Path


class LockFile:
    """Has the lock in `path` until it closes, or its process ends. Nobody is waited for.

    Raises BlockingIOError where somebody else has it, and OSError where there can be no such file.
    """

    def __init__(self, path: Path):
        self._path = path
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        self._release = weakref.finalize(self, os.close, handle)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if not _is_at(path, handle):  # who had it has removed it since we opened it
                raise BlockingIOError
        except BaseException:
            self._release()
            raise

    def close(self) -> None:
        """Let others have it."""
        if self._release.alive:
            with contextlib.suppress(OSError):  # one that stays locks nobody
                self._path.unlink()  # while it is ours: later it may be somebody else's
            self._release()


def lock_beside(path: Path) -> LockFile:
    """The lock of a file that is replaced while it is in use. Raises BlockingIOError where somebody else has it."""
    return LockFile(path.with_name(f"{path.name}.lock"))


def _is_at(path: Path, handle: int) -> bool:
    try:
        return os.path.samestat(os.stat(path), os.fstat(handle))
    except FileNotFoundError:
        return False
