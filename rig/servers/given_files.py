"""Files that requests name: plain ones in folders that were given when the server was started, and no others."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from rig.errors import Misuse
from rig.firmware.given_file import read_given

HINT = "send the content instead, or start the server with --files DIR"


class GivenFiles:
    """What requests may name: files in `folders`, once links are followed. Raises Misuse for what is no folder."""

    def __init__(self, folders: Sequence[Path] = ()):
        for folder in folders:
            if not folder.is_dir():
                raise Misuse(f"--files {folder} is no folder")
        self._folders = [folder.resolve() for folder in folders]

    def read(self, name: str, most: int) -> bytes:
        """A file's content, `most` bytes at the longest. Raises Misuse.

        A file that has a second name is refused: that could be one outside, as a link would be.
        """
        try:
            path = Path(name).resolve()
        except (OSError, RuntimeError, ValueError):
            raise Misuse(f"{name!r} is no name of a file") from None
        self._check_place(path, name)

        def check(handle: int) -> None:
            if os.fstat(handle).st_nlink != 1:
                raise Misuse(f"{name} has another name too: it may be a file from elsewhere", hint=HINT)
            # What was opened may not be what was looked at before.
            self._check_place(Path(os.readlink(f"/proc/self/fd/{handle}")), name)

        return read_given(path, most, check)

    def _check_place(self, path: Path, name: str) -> None:
        if not any(path.is_relative_to(folder) for folder in self._folders):
            raise Misuse(f"{name} is in no folder that this server may read", hint=HINT)
