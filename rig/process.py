"""What a process of the rig asks of the kernel: to end with the one that started it."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
from typing import Any

_PR_SET_PDEATHSIG = 1
# As `exit_with_parent`, and then it becomes the command. A `preexec_fn` would do this in a forked copy of a parent
# whose gRPC threads are running, which now and then is a segmentation fault.
_DIES_WITH_PARENT = (
    "import ctypes, os, sys; ctypes.CDLL(None).prctl(1, 9); "
    "os.getppid() == int(sys.argv[1]) or os._exit(0); os.execvp(sys.argv[2], sys.argv[2:])"
)


def exit_with_parent(parent: int, number: int = signal.SIGKILL) -> None:
    """Let the kernel end this process by signal `number` when `parent`, which started it, is gone (Linux)."""
    with contextlib.suppress(AttributeError):
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, number)
        if os.getppid() != parent:
            os._exit(0)


def spawn(command: list[str], **how: Any) -> subprocess.Popen[Any]:
    """Start a command in a session of its own, which ends with us; `how` as `subprocess.Popen` has it."""
    wrapped = [sys.executable, "-I", "-S", "-c", _DIES_WITH_PARENT, str(os.getpid()), *command]
    return subprocess.Popen(wrapped, start_new_session=True, **how)
