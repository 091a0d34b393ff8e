"""Who holds a place: a mark on its acquisition names the process, so that the next run can tell what a dead one left.

The mark stands among those whom labgrid allows to use an acquired place. It comes with an acquisition and goes with it,
so a place that was released and taken again does not have it any more, and nothing else that changes takes it away.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import socket
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import astuple, dataclass
from enum import Enum
from pathlib import Path
from urllib.parse import quote, unquote

from rig.errors import Misuse

_MARK = "rig"
#: What tells a run from every other, in the environment of its processes: two may have one id, which is a time.
RUN_VARIABLE = "RIG_RUN"


class Life(Enum):
    """What can be said of a process."""

    ALIVE = "alive"
    DEAD = "dead"
    ELSEWHERE = "elsewhere"


@dataclass(frozen=True, slots=True)
class Holder:
    """A process, by what no other process ever has in common with it: `started` is in the kernel's ticks since `boot`.

    `pids` is the name space in which its number counts: containers have one each. `run` is the run it is part of, empty
    for none.
    """

    host: str
    boot: str
    pids: str
    pid: str
    started: str
    run: str = ""

    @classmethod
    def this_process(cls) -> Holder:
        """This one."""
        return cls(*_here(), str(os.getpid()), _started(os.getpid()), os.environ.get(RUN_VARIABLE, ""))

    @classmethod
    def read(cls, mark: str) -> Holder | None:
        """From a mark; None for what is none."""
        kind, _, words = mark.partition("/")
        parts = words.split(":")
        return cls(*parts) if kind == _MARK and len(parts) in (5, 6) else None

    @property
    def mark(self) -> str:
        """How it stands at a place."""
        return f"{_MARK}/{':'.join(astuple(self))}"

    @property
    def life(self) -> Life:
        """Whether it still lives; a process of another host or container cannot be judged."""
        host, boot, pids = _here()
        if self.host != host:
            return Life.ELSEWHERE
        if self.boot != boot:
            return Life.DEAD
        if self.pids != pids or not self.pid.isdigit():
            return Life.ELSEWHERE
        return Life.ALIVE if _started(int(self.pid)) == self.started else Life.DEAD

    @property
    def is_of_this_run(self) -> bool:
        """Whether it is another process of the run that this one is part of, and lives."""
        own = self.this_process()
        return self != own and bool(own.run) and self.run == own.run and self.life is Life.ALIVE

    def __str__(self) -> str:
        return f"process {self.pid} of {self.host}"


def holder_of(allowed: Iterable[str]) -> Holder | None:
    """Which process of ours acquired a place, by those who are allowed to use it; None where none did."""
    return next((holder for mark in sorted(allowed) if (holder := Holder.read(mark))), None)


def is_abandoned(allowed: Iterable[str]) -> bool:
    """Whether a process of ours acquired a place and is dead."""
    holder = holder_of(allowed)
    return holder is not None and holder.life is Life.DEAD


class Notes:
    """What processes of this user tell one another, a file each: a name, by which process, at which coordinator."""

    def __init__(self, topic: str, coordinator: str):
        self._folder = notes_folder() / topic
        self._folder.mkdir(mode=0o700, exist_ok=True)
        self._coordinator = coordinator

    @contextmanager
    def kept(self, name: str) -> Iterator[None]:
        """A note of this process, while inside; one that is killed leaves it."""
        note = self._folder / f"{quote(name, safe='')}.{os.getpid()}"
        note.write_text(f"{self._coordinator} {Holder.this_process().mark}")
        try:
            yield
        finally:
            note.unlink(missing_ok=True)

    def of_the_dead(self) -> dict[str, Path]:
        """Names that dead processes left at this coordinator, and the notes to take away when that is dealt with."""
        found = {}
        for note in sorted(self._folder.iterdir()):
            with contextlib.suppress(FileNotFoundError):
                address, _, mark = note.read_text().partition(" ")
                writer = Holder.read(mark)
                if address == self._coordinator and (writer is None or writer.life is Life.DEAD):
                    found[unquote(note.stem)] = note
        return found


def notes_folder() -> Path:
    """A folder of this user's for what processes of this host tell one another. Raises Misuse when it is not ours."""
    folder = Path(tempfile.gettempdir()) / f"rig-notes-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    if folder.stat().st_uid != os.getuid():
        raise Misuse(f"{folder} is not ours", hint="somebody else made it: remove it")
    return folder


@contextmanager
def one_at_a_time(coordinator: str) -> Iterator[None]:
    """Keep other processes of this user from tidying up at the same coordinator."""
    with (notes_folder() / f"{re.sub(r'[^a-zA-Z0-9.-]', '_', coordinator)}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _here() -> tuple[str, str, str]:
    """This host, since when it runs, and the name space of this process's number."""
    boot = _read("/proc/sys/kernel/random/boot_id")
    try:
        pids = os.readlink("/proc/self/ns/pid").strip("pid:[]")
    except OSError:
        pids = ""
    return socket.gethostname(), boot, pids


def _started(pid: int) -> str:
    """When a process started, in the kernel's ticks: a number that a later process with the same id does not have."""
    status = _read(f"/proc/{pid}/stat").rpartition(")")[2].split()
    return status[19] if len(status) > 19 and status[0] not in "ZX" else ""


def _read(path: str) -> str:
    try:
        return Path(path).read_text().strip()
    except OSError:
        return ""
