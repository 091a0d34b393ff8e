"""A file that somebody named, a password among them: read whole, once it is known to be one and not too large."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from rig.errors import Misuse

MOST_OF_A_SECRET = 1024


def read_secret(path: Path) -> str:
    """A password on the one line of a file that only its owner can read. Raises Misuse."""
    try:
        text = read_given(path, MOST_OF_A_SECRET).decode().strip("\r\n")
        is_open = path.stat().st_mode & 0o077
    except UnicodeDecodeError:
        raise Misuse(f"{path} holds no text") from None
    except OSError as error:
        raise Misuse(f"cannot read {path}: {error.strerror}") from error
    if is_open:
        raise Misuse(f"others can read the password in {path}", hint=f"chmod 600 {path}")
    if not text or not text.isprintable():
        raise Misuse(f"{path} holds no password", hint="one line of text")
    return text


def read_given(path: Path, most: int) -> bytes:
    """A file's content, `most` bytes at the longest; a pipe or a device is never waited for. Raises Misuse."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        with os.fdopen(handle, "rb") as file:
            if not stat.S_ISREG(os.fstat(handle).st_mode):
                raise Misuse(f"cannot read {path}: it is no file")
            data = file.read(most + 1)
    except OSError as error:
        raise Misuse(f"cannot read {path}: {error.strerror}") from error
    except ValueError as error:
        raise Misuse(f"{str(path)!r} is no name of a file") from error
    if len(data) > most:
        raise Misuse(f"{path} is larger than {most:,} bytes")
    return data
