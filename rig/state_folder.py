"""The folder that keeps a board's state between two processes: one at a time has it, and its files are whole.

Flash has private keys in it: the folder is its owner's alone (0700), and so are its files (0600).
"""

from __future__ import annotations

import fcntl
import os
import weakref
from pathlib import Path

from rig.errors import Misuse
from rig.files import MOST_IMAGE, is_there, read_user_file, writing

#: Files that only a folder of state has.
KEPT = ("internal.bin", "flash.bin", "authorities")


def state_folder(path: Path) -> Path:
    """The folder that keeps a board's state, made where it is not there. Raises Misuse, LabFault.

    One of before is closed to others; one with anything else in it is left as it is: it may be everybody's.
    """
    with writing(path):
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        if path.stat().st_mode & 0o077 and _is_for_state(path):
            path.chmod(0o700)
    return path


def _is_for_state(path: Path) -> bool:
    return any((path / name).exists() for name in KEPT) or not any(path.iterdir())


def kept(path: Path) -> bytes | None:
    """What a file holds; None where there is none. Raises Misuse."""
    return read_user_file(path, MOST_IMAGE) if is_there(path) else None


def keep(path: Path, content: bytes, mode: int = 0o600) -> None:
    """Write a file whole or not at all: a process that is killed leaves none of a wrong length. Raises Misuse."""
    beside = path.with_name(f"{path.name}.new")
    with writing(path):
        beside.unlink(missing_ok=True)
        beside.touch(mode, exist_ok=False)
        beside.write_bytes(content)
        beside.replace(path)


class FolderLock:
    """Holds a folder for this process until it ends or closes. Raises Misuse where another one has it."""

    def __init__(self, folder: Path):
        try:
            fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        except OSError as error:
            raise Misuse(f"cannot use the state folder {folder}: {error.strerror}") from error
        self._release = weakref.finalize(self, os.close, fd)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            self.close()
            raise Misuse(
                f"the state folder {folder} is another twin's", hint="stop that one, or name another"
            ) from None

    def close(self) -> None:
        """Let others have it."""
        self._release()
