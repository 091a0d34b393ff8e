"""The program of a fork server: it loads what others need, and forks a process for each command that it is told.

It reads one JSON object a line from standard input, and ends when that does:

* `{"load": MODULE, "manifest": PATH}` imports a module, and calls its `prepare(PATH)` where it has one;
* `{"run": COMMAND, "out": PATH, "log": PATH}` runs a command `PYTHON -m MODULE …` in a fork, and tells its pid.

It has one thread, no event loop and no connection to anybody: only such a process is safe to fork.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import json
import os
import random
import runpy
import socket
import sys
from pathlib import Path

from rig.process import exit_with_parent
from rig.rack.title import set_title


def main() -> None:
    """Serve until standard input ends; in a process that was forked, run its command."""
    set_title([sys.executable, "-m", "rig.rack.forking"])
    gc.disable()  # a collection writes to the memory that is to be shared
    starter = os.getppid()
    for line in sys.stdin:
        request = json.loads(line)
        if "load" in request:
            _load(request["load"], request["manifest"])
            continue
        try:
            pid = fork_for(starter)
        except OSError as error:
            print(json.dumps({"fault": error.strerror}), flush=True)
            continue
        if pid == 0:
            _become(**request)
            return
        print(json.dumps({"pid": pid}), flush=True)


def fork_for(starter: int) -> int:
    """Fork a child of `starter`, our parent, which sees how it ends, whatever becomes of us.

    Returns the child's pid, and 0 in the child. Raises OSError.

    A process in between makes it and is gone: the kernel gives what has lost its parent to the next above us that takes
    it.
    """
    if len(os.listdir("/proc/self/task")) > 1:
        raise OSError(None, "what it has loaded has started a thread")
    ours, its = socket.socketpair()
    with ours, its:
        between = os.fork()
        if between == 0:
            ours.close()
            _fork_and_end(its)
            its.recv(1)  # nothing comes; it ends when the one in between is gone
            exit_with_parent(starter)
            return 0
        its.close()
        os.waitpid(between, 0)
        number = ours.recv(16)
    if not number:
        raise OSError(None, "no process can be made")
    return int(number)


def _fork_and_end(teller: socket.socket) -> None:
    """Fork, tell the pid and end; returns in the child only."""
    try:
        pid = os.fork()
    except OSError:
        os._exit(1)
    if pid:
        teller.sendall(str(pid).encode())
        os._exit(0)


def _load(module: str, manifest: str | None) -> None:
    """Import a module and let it prepare. What is wrong with it is told by the command that needs it, in its log."""
    with contextlib.suppress(Exception):
        prepare = getattr(importlib.import_module(module), "prepare", None)
        if prepare is not None:
            prepare(Path(manifest) if manifest is not None else None)
    gc.freeze()


def _become(run: list[str], out: str, log: str) -> None:
    """Run a command as if this process had been started with it: nothing of the server's is left."""
    os.setsid()
    for number, path, mode in (
        (0, os.devnull, os.O_RDONLY),
        (1, out, os.O_WRONLY),
        (2, log, os.O_WRONLY | os.O_APPEND),
    ):
        file = os.open(path, mode)
        os.dup2(file, number)
        os.close(file)
    sys.stdin = open(0, closefd=False)  # noqa: SIM115 (the old one has requests to others in its buffer)
    random.seed()
    gc.enable()
    set_title(run)
    sys.argv = run[2:]
    runpy.run_module(run[2], run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
