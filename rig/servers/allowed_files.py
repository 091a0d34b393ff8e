"""Files that requests name: plain ones in folders that were given when the server was started, and no others."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from rig.errors import Misuse
from rig.files import is_folder, open_user_file, real

HINT = "send the content instead, or start the server with --files DIR"


class AllowedFiles:
    """What requests may name: files in `folders`, once links are followed. Raises Misuse for what is no folder."""

    def __init__(self, folders: Sequence[Path] = ()):
        for folder in folders:
            if not is_folder(folder):
                raise Misuse(f"--files {folder} is no folder")
        self._folders = [real(folder) for folder in folders]

    def read(self, name: str, most: int) -> bytes:
        """A file's content, `most` bytes at the longest. Raises Misuse.

        A file that has a second name is refused: that could be one outside, as a link would be.
        """
        path = real(Path(name))
        self._check_place(path, name)
        with open_user_file(path) as file:
            found = os.fstat(file.fileno())
            if found.st_nlink != 1:
                raise Misuse(f"{name} has another name too: it may be a file from elsewhere", hint=HINT)
            # What was opened may not be what was looked at before.
            self._check_place(Path(os.readlink(f"/proc/self/fd/{file.fileno()}")), name)
            data = file.read(min(found.st_size, most) + 1)
        if len(data) > most:
            raise Misuse(f"{name} is larger than {most:,} bytes", hint="is it the file that was meant?")
        if len(data) > found.st_size:  # as the kernel's own files in /proc are
            raise Misuse(f"cannot read {name}: it has more bytes than it says", hint=HINT)
        return data

    def _check_place(self, path: Path, name: str) -> None:
        if not any(path.is_relative_to(folder) for folder in self._folders):
            raise Misuse(f"{name} is in no folder that this server may read", hint=HINT)
