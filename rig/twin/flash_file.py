"""A flash memory in a file: what a twin keeps between two processes."""

from __future__ import annotations

import os
from pathlib import Path

from rig.errors import Misuse
from rig.twin.flash import Nor


class FlashFile:
    """A memory's file, written through page by page; made with `fresh` contents when it is not there."""

    def __init__(self, path: Path, nor: Nor, fresh: bytes):
        self._nor = nor
        if not path.exists():
            path.write_bytes(fresh)
        try:
            nor.load(path.read_bytes())
        except Misuse as error:
            raise Misuse(f"{path}: {error.message}", hint="restore the file, or remove it to begin blank") from None
        self._fd = os.open(path, os.O_WRONLY)
        nor.on_change = self._write

    def _write(self, index: int, page: bytes) -> None:
        os.pwrite(self._fd, page, index * self._nor.page)

    def close(self) -> None:
        """Let go of the file."""
        self._nor.on_change = None
        os.close(self._fd)
