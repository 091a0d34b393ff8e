"""A file that somebody named: read whole, once it is known to be one and not too large."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from pathlib import Path

from rig.errors import Misuse


def read_given(path: Path, most: int, check: Callable[[int], None] = lambda _handle: None) -> bytes:
    """A file's content, `most` bytes at the longest; a pipe or a device is never waited for. Raises Misuse.

    `check` sees the file while it is open, before it is read.
    """
    try:
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        with os.fdopen(handle, "rb") as file:
            found = os.fstat(handle)
            if not stat.S_ISREG(found.st_mode):
                raise Misuse(f"cannot read {path}: it is no file")
            check(handle)
            if found.st_size > most:
                raise Misuse(f"{path} is larger than {most:,} bytes")
            data = file.read(found.st_size + 1)
    except OSError as error:
        raise Misuse(f"cannot read {path}: {error.strerror}") from error
    except ValueError as error:
        raise Misuse(f"{str(path)!r} is no name of a file") from error
    if len(data) > found.st_size:  # as the kernel's own files in /proc are
        raise Misuse(f"cannot read {path}: it has more bytes than it says")
    return data
