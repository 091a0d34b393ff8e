"""What `ps` shows of a process that was forked: its own command line, in place of its parent's."""

from __future__ import annotations

import ctypes
from pathlib import Path

#: The kernel shows no more of a title than a page.
MOST = 4096
#: An argument that leaves room for the longest title: the process that is to fork others is started with it.
ROOM = "-" * MOST
_ARG_START, _ARG_END = 45, 46


def set_title(command: list[str]) -> None:
    """Show `command` as the command line of this process, as far as there is room (Linux)."""
    fields = Path("/proc/self/stat").read_text().rpartition(")")[2].split()
    start, end = int(fields[_ARG_START]), int(fields[_ARG_END])
    if (room := min(end - start, MOST)) <= 0:
        return
    title = " ".join(command).encode(errors="surrogateescape")[: room - 1]
    ctypes.memset(start, 0, end - start)
    ctypes.memmove(start, title, len(title))
    # an end that is no zero tells the kernel that a title is here, and no list of arguments
    ctypes.memset(end - 1, ord(" "), 1)
