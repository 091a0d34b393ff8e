"""What is needed of a server whose files are changed from afar: commands and files. How one gets there is not here."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Literal, Protocol

#: For a command where nothing else is told.
COMMAND_SECONDS = 60.0
Kind = Literal["file", "folder", "link", "other"]


@dataclass(frozen=True, slots=True)
class Done:
    """A command that ended: exit status, and what it printed."""

    status: int
    out: str
    err: str

    @property
    def last_line(self) -> str:
        """The last line it printed for people, else the status."""
        lines = (self.err or self.out).strip().splitlines()
        return lines[-1] if lines else f"exit status {self.status}"


@dataclass(frozen=True, slots=True)
class Rights:
    """Whose a file is and who may do what with it: user and group as the server numbers them, and its mode (0o640)."""

    user: int
    group: int
    mode: int

    def __str__(self) -> str:
        return f"{self.user}:{self.group} {self.mode:04o}"


class Session(Protocol):
    """What is needed of a server. Paths are absolute; whatever fails raises LabFault."""

    def run(self, argv: Sequence[str], *, seconds: float = COMMAND_SECONDS) -> Done:
        """Run a command, each argument exactly as it is given."""

    def held(self, argv: Sequence[str]) -> AbstractContextManager[bool]:
        """Keep a command running that prints a line once it has what it wants; false when it ended without."""

    def kind(self, path: str) -> Kind | None:
        """What is there itself (a link is not followed); None for nothing."""

    def rights(self, path: str) -> Rights:
        """Whose it is, and who may do what; a link is followed."""

    def give(self, path: str, rights: Rights) -> None:
        """Let it have these, and nobody any of it before its owner is the one that is told."""

    def names(self, folder: str) -> list[str]:
        """What is in a folder, sorted."""

    def read(self, path: str) -> bytes:
        """A file's content."""

    def put(self, path: str, content: bytes, mode: int) -> None:
        """A new file that nobody else may read before its mode allows it; fails when there is one."""

    def make_folder(self, path: str, mode: int) -> None:
        """A new folder; fails when there is one."""

    def link(self, path: str, target: str) -> None:
        """Make a symbolic link, in one step in place of whatever link or file was there."""

    def target(self, path: str) -> str:
        """Where a symbolic link points."""

    def rename(self, old: str, new: str) -> None:
        """Rename in one step, in place of whatever file was there."""

    def remove(self, path: str) -> None:
        """Remove a file, a link or a whole folder; nothing happens when there is none."""
