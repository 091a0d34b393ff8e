"""A process that has loaded what many others need, and forks them: they start at once, and share that memory.

Each is a child of the process that uses this, like one that is started by its command: it is killed alone, its end is
seen, and it ends with us. The server itself is needed only while they start (Linux).
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import select
import signal
import subprocess
import sys
from pathlib import Path
from subprocess import PIPE
from types import TracebackType
from typing import IO, Any, Protocol, cast

from rig.errors import LabFault
from rig.process import spawn
from rig.rack.title import ROOM

CLOSE_SECONDS = 5.0
PYTHON_MODULE = [sys.executable, "-m"]
PROGRAM = [*PYTHON_MODULE, "rig.rack.forking", ROOM]
_PR_SET_CHILD_SUBREAPER, _PR_GET_CHILD_SUBREAPER = 36, 37


class Process(Protocol):
    """A child of this process; what is used of `subprocess.Popen`."""

    pid: int
    returncode: Any

    def poll(self) -> int | None:
        """Its exit status, None while it runs."""

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end. Raises subprocess.TimeoutExpired."""

    def terminate(self) -> None:
        """Tell it to end."""

    def kill(self) -> None:
        """End it."""


class ForkedProcess:
    """A child of ours that a fork server has made."""

    def __init__(self, pid: int):
        self.pid = pid
        self.returncode: int | None = None
        self._end = os.pidfd_open(pid)

    def poll(self) -> int | None:
        """Its exit status, minus the number of the signal that ended it; None while it runs."""
        if self.returncode is None:
            try:
                pid, status = os.waitpid(self.pid, os.WNOHANG)
            except ChildProcessError:  # somebody else has waited for it: nobody knows its status, as with `Popen`
                pid, status = self.pid, 0
            if pid:
                self.returncode = os.waitstatus_to_exitcode(status)
                os.close(self._end)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end. Raises subprocess.TimeoutExpired."""
        if self.poll() is None:
            looks = select.poll()
            looks.register(self._end, select.POLLIN)
            looks.poll(timeout * 1000 if timeout is not None else None)
        status = self.poll()
        if status is None:
            raise subprocess.TimeoutExpired(str(self.pid), timeout or 0)
        return status

    def terminate(self) -> None:
        """Tell it to end."""
        self._send(signal.SIGTERM)

    def kill(self) -> None:
        """End it."""
        self._send(signal.SIGKILL)

    def _send(self, number: int) -> None:
        if self.poll() is None:
            signal.pidfd_send_signal(self._end, number)


class ForkServer:
    """Forks processes for `python -m` commands that run in `folder`. Use as a context manager."""

    def __init__(self, folder: Path):
        self._log = folder / "fork-server.log"
        with self._log.open("ab") as log:
            self._process = spawn(PROGRAM, stdin=PIPE, stdout=PIPE, stderr=log, cwd=folder, text=True)
        self._requests, self._answers = cast(IO[str], self._process.stdin), cast(IO[str], self._process.stdout)
        self._loads: set[str] = set()
        self._took_orphans = _takes_orphans()
        _take_orphans(True)

    def __enter__(self) -> ForkServer:
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        with contextlib.suppress(BrokenPipeError):
            self._requests.close()
        try:
            self._process.wait(CLOSE_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._answers.close()
        _take_orphans(self._took_orphans)

    def load(self, module: str, manifest: Path | None = None) -> None:
        """Have it load a module, and let that prepare what it needs of a manifest, once; nobody waits for it."""
        if module in self._loads:
            return
        self._loads.add(module)
        self._write_request({"load": module, "manifest": str(manifest) if manifest is not None else None})

    def start(self, command: list[str], out: Path, log: Path) -> ForkedProcess:
        """Start a command `PYTHON -m …` with its output in two files, which are there. Raises LabFault."""
        self._write_request({"run": command, "out": str(out), "log": str(log)})
        answer = self._answers.readline()
        answer_line: dict[str, Any] = json.loads(answer) if answer else {"fault": self._last_words()}
        if "fault" in answer_line:
            raise LabFault(f"no process can be forked: {answer_line['fault']}")
        return ForkedProcess(answer_line["pid"])

    def _write_request(self, request: dict[str, Any]) -> None:
        try:
            print(json.dumps(request), file=self._requests, flush=True)
        except BrokenPipeError:
            raise LabFault(f"the fork server died: {self._last_words()}") from None

    def _last_words(self) -> str:
        lines = self._log.read_text(errors="replace").strip().splitlines()
        return lines[-1] if lines else f"exit status {self._process.wait()}"


def _take_orphans(yes: bool) -> None:
    """Whether what has lost its parent below us becomes our child."""
    ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, int(yes))


def _takes_orphans() -> bool:
    answer = ctypes.c_int()
    ctypes.CDLL(None).prctl(_PR_GET_CHILD_SUBREAPER, ctypes.byref(answer))
    return bool(answer.value)
