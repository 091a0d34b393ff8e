"""Who holds a place: a tag that lets the next run tell what a killed one left behind."""

from __future__ import annotations

import os
import socket
import time
from pathlib import Path
from typing import Any

HOLDER_TAG = "held_by"
#: How far the coordinator's clock and ours may be apart, and how long setting a tag may take.
TAKEN_WITHIN_SECONDS = 5.0


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
