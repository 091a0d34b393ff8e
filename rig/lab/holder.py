"""Who holds a place: a tag that lets the next run tell what a killed one left behind."""

from __future__ import annotations

import fcntl
import os
import re
import socket
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rig.errors import Misuse

HOLDER_TAG = "held_by"
#: How far the coordinator's clock and ours may be apart, and how long setting a tag may take.
TAKEN_WITHIN_SECONDS = 5.0


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


def this_process() -> str:
    """This process, now: host, process id, when it started, and when it says so."""
    return f"{socket.gethostname()}/{os.getpid()}/{_started(os.getpid())}/{time.time():.0f}"


def _started(pid: int) -> str:
    """When a process started, in the kernel's ticks: a number that a later process with the same id does not have."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    except OSError:
        return ""


def unchanged_since_taken(place: Any) -> bool:
    """Whether nobody has touched a place since its tag was set: else it is somebody's again."""
    taken: str = place.tags[HOLDER_TAG].rpartition("/")[2]
    return taken.isdigit() and abs(float(place.changed) - int(taken)) < TAKEN_WITHIN_SECONDS


def is_abandoned(holder: str) -> bool:
    """Whether a process of this host said so that is gone; others' processes we cannot tell."""
    host, _, rest = holder.partition("/")
    pid, _, rest = rest.partition("/")
    started, _, _ = rest.partition("/")
    return host == socket.gethostname() and pid.isdigit() and _started(int(pid)) != started
