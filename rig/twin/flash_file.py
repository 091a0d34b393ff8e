"""A flash memory in a file: what a twin keeps of it between two processes."""

from __future__ import annotations

import os
from pathlib import Path

from rig.errors import Misuse
from rig.state_folder import keep, kept
from rig.twin.flash import Nor


class FlashFile:
    """A memory's file, written through page by page; made with `fresh` contents when it is not there."""

    def __init__(self, path: Path, nor: Nor, fresh: bytes):
        """Raises Misuse that names the file."""
        self._nor = nor
        contents = kept(path)
        if contents is None:
            keep(path, contents := fresh)
        try:
            nor.load(contents)
            self._fd = os.open(path, os.O_WRONLY)
            os.fchmod(self._fd, 0o600)  # there may be a private key in it
        except Misuse as error:
            raise Misuse(f"{path}: {error.message}", hint="restore the file, or remove it to begin blank") from None
        except OSError as error:
            raise Misuse(f"cannot write {path}: {error.strerror}") from error
        nor.on_change = self._write

    def _write(self, index: int, page: bytes) -> None:
        os.pwrite(self._fd, page, index * self._nor.page)

    def close(self) -> None:
        """Let go of the file."""
        self._nor.on_change = None
        os.close(self._fd)
