"""Who holds a place: a mark on its acquisition names the process, so that the next run can tell what a dead one left.

The mark stands among those whom labgrid allows to use an acquired place. It comes with an acquisition and goes with it,
so a place that was released and taken again does not have it any more, and nothing else that changes takes it away.
"""

from __future__ import annotations

import os
import re
import socket
from collections.abc import Iterable
from dataclasses import astuple, dataclass
from enum import Enum
from pathlib import Path

_MARK = "rig"
#: A process's number: what others wrote into a mark need not be one.
_PID = re.compile("[0-9]{1,9}")


class Life(Enum):
    """What can be said of a process."""

    ALIVE = "alive"
    DEAD = "dead"
    ELSEWHERE = "elsewhere"


@dataclass(frozen=True, slots=True)
class Holder:
    """A process, by what no other process ever has in common with it: `started` is in the kernel's ticks since `boot`.

    `pids` is the name space in which its number counts: containers have one each. `run` is the run it works for, empty
    for none: something that no other run has, which its id, a time, is not.
    """

    host: str
    boot: str
    pids: str
    pid: str
    started: str
    run: str = ""

    @classmethod
    def this_process(cls, run: str = "") -> Holder:
        """This one, working for a run."""
        return cls(*_here(), str(os.getpid()), _started(os.getpid()), run)

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
        if self.pids != pids or not _PID.fullmatch(self.pid):
            return Life.ELSEWHERE
        return Life.ALIVE if _started(int(self.pid)) == self.started else Life.DEAD

    def works_for(self, run: str) -> bool:
        """Whether it is another process of this run, and lives."""
        return bool(run) and self.run == run and self != self.this_process(run) and self.life is Life.ALIVE

    def __str__(self) -> str:
        return f"process {self.pid} of {self.host}"


def holder_of(allowed: Iterable[str]) -> Holder | None:
    """Which process of ours acquired a place, by those who are allowed to use it; None where none did."""
    return next((holder for mark in sorted(allowed) if (holder := Holder.read(mark))), None)


def is_abandoned(allowed: Iterable[str]) -> bool:
    """Whether a process of ours acquired a place and is dead."""
    holder = holder_of(allowed)
    return holder is not None and holder.life is Life.DEAD


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
