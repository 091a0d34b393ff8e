"""Files that people name: read once they are known to be files and not too large, written or else told in one line.

A pipe, a device or a folder is refused rather than waited for, and nobody's file is read without a bound.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from rig.errors import LabFault, Misuse, RigError

#: How large files of each use are at most: keys and certificates, documents that people write, whole flash images.
MOST_PEM, MOST_TEXT, MOST_IMAGE = 4 << 20, 8 << 20, 32 << 20
MOST_OF_A_SECRET = 1024
#: What a name is too long for, or leads round in circles, is never there.
_NEVER = (OSError, ValueError, RuntimeError)
_READ_HINTS = {
    errno.ENOENT: "is the name right?",
    errno.ENOTDIR: "is the name right?",
    errno.EISDIR: "name a file in it",
    errno.EACCES: "whoever runs this may not read it",
    errno.ENXIO: "name a regular file",
}
_WRITE_HINTS = {
    errno.ENOENT: "the folder is gone or was never there",
    errno.ENOTDIR: "a part of the name is a file",
    errno.EISDIR: "it is a folder: name a file",
    errno.EACCES: "whoever runs this may not write there",
    errno.EROFS: "name a place that can be written",
    errno.ENXIO: "nobody reads that pipe: name a file",
}
_ROOM = "make room, or name a place on another disk"
#: Faults of the disk and not of the name.
_DISK_HINTS = {errno.ENOSPC: _ROOM, errno.EDQUOT: _ROOM, errno.EFBIG: _ROOM, errno.EIO: "the disk is broken"}


def open_user_file(path: Path) -> BinaryIO:
    """A file to read from its beginning. Raises Misuse for what is not there or no regular file."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError as error:
        raise unreadable(path, error) from error
    except ValueError as error:
        raise Misuse(f"{str(path)!r} is no name of a file", hint="take the zero byte out") from error
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise Misuse(f"cannot read {path}: it is no file", hint="a regular file is needed: no pipe, device or folder")
    return os.fdopen(handle, "rb")


def read_user_file(path: Path, most: int) -> bytes:
    """A file's content, `most` bytes at the longest; a pipe or a device is never waited for. Raises Misuse."""
    with open_user_file(path) as file:
        try:
            data = file.read(most + 1)
        except OSError as error:
            raise unreadable(path, error) from error
    if len(data) > most:
        raise Misuse(f"{path} is larger than {most:,} bytes", hint="is it the file that was meant?")
    return data


def read_text(path: Path, most: int = MOST_TEXT) -> str:
    """A file's text, UTF-8. Raises Misuse."""
    try:
        return read_user_file(path, most).decode()
    except UnicodeDecodeError as error:
        raise Misuse(f"cannot read {path}: it is no text in UTF-8 (byte {error.start})") from error


def read_secret(path: Path) -> str:
    """A password on the one line of a file that only its owner can read. Raises Misuse."""
    text = read_text(path, MOST_OF_A_SECRET).strip("\r\n")
    with open_user_file(path) as file:
        is_open = os.fstat(file.fileno()).st_mode & 0o077
    if is_open:
        raise Misuse(f"others can read the password in {path}", hint=f"chmod 600 {path}")
    if not text or not text.isprintable():
        raise Misuse(f"{path} holds no password", hint="one line of text")
    return text


def is_there(path: Path) -> bool:
    """Whether something has this name; a name that cannot be one has nothing."""
    try:
        return path.exists()
    except _NEVER:
        return False


def is_folder(path: Path) -> bool:
    """Whether a folder has this name."""
    try:
        return path.is_dir()
    except _NEVER:
        return False


def real(path: Path) -> Path:
    """The whole name of what a name leads to, whether that is there or not. Raises Misuse."""
    try:
        return path.resolve()
    except _NEVER as error:
        raise Misuse(f"cannot use {str(path)!r}: {error}", hint="is the name right?") from error


def make_folder(path: Path) -> Path:
    """A folder, made where it is not there, with those above it. Raises Misuse, LabFault."""
    with writing(path):
        path.mkdir(parents=True, exist_ok=True)
    return path


def own_folder(path: Path) -> Path:
    """A folder that is this user's alone, made where it is not there. Raises Misuse for what others may write to."""
    with writing(path), contextlib.suppress(FileExistsError):
        path.mkdir(mode=0o700)
    status = path.lstat()
    is_ours = status.st_uid == os.getuid() and not stat.S_IMODE(status.st_mode) & 0o077
    if not (stat.S_ISDIR(status.st_mode) and is_ours):
        raise Misuse(f"{path} is not ours alone", hint="somebody else made it, or may write there: remove it")
    return path


def write_user_file(path: Path, content: bytes) -> None:
    """Put a content into a file, a device or a pipe somebody reads; nobody is waited for. Raises Misuse, LabFault."""
    with writing(path):
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NONBLOCK, 0o666)
        os.set_blocking(handle, True)
        with os.fdopen(handle, "wb") as file:
            file.write(content)


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """While a file or folder that somebody named is written. Raises Misuse, or LabFault where the disk is full."""
    try:
        yield
    except OSError as error:
        raise unwritable(path, error) from error
    except ValueError as error:
        if "null" not in str(error):
            raise
        raise Misuse(f"{str(path)!r} is no name of a file", hint="take the zero byte out") from error


def unreadable(path: object, error: OSError) -> RigError:
    """What is said of a file that cannot be read."""
    return _file_fault("read", path, error, _READ_HINTS)


def unwritable(path: object, error: OSError) -> RigError:
    """What is said of a file that cannot be written: the lab's fault where the disk is full or broken."""
    return _file_fault("write", path, error, _WRITE_HINTS)


def unusable(path: object, error: OSError) -> RigError:
    """What is said where nobody knows what was meant to be done."""
    return _file_fault("use", path, error, _READ_HINTS)


def is_of_the_disk(error: OSError) -> bool:
    """Whether an error is a file's or the disk's, and not the network's."""
    return error.filename is not None or error.errno in _DISK_HINTS


def _file_fault(doing: str, path: object, error: OSError, hints: dict[int, str]) -> RigError:
    number = error.errno or 0
    reason = f"cannot {doing} {path}: {error.strerror or str(error) or type(error).__name__}"
    if number in _DISK_HINTS:
        return LabFault(reason, hint=_DISK_HINTS[number])
    return Misuse(reason, hint=hints.get(number))
