"""Processes a rack is made of: started together, named when they die, never left behind."""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from rig.clock import Deadline
from rig.errors import LabFault

STOP_SECONDS = 5.0

_PR_SET_PDEATHSIG = 1
# As `die_with`, and then it becomes the command. A `preexec_fn` would do this in a forked copy of a parent whose gRPC
# threads are running, which now and then is a segmentation fault.
_DIES_WITH_PARENT = (
    "import ctypes, os, sys; ctypes.CDLL(None).prctl(1, 9); "
    "os.getppid() == int(sys.argv[1]) or os._exit(0); os.execvp(sys.argv[2], sys.argv[2:])"
)


def die_with(parent: int) -> None:
    """Let the kernel kill this process when `parent`, which started it, is gone (Linux)."""
    with contextlib.suppress(AttributeError):
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(0)


class Child:
    """One process; what it prints goes to `NAME.out` and `NAME.log`, so that no pipe can fill and stop it."""

    def __init__(self, name: str, command: list[str], *, folder: Path):
        self.name = name
        self.log = folder / f"{name}.log"
        self._out = folder / f"{name}.out"
        self._folder = folder
        self.born = time.monotonic()
        #: What starts it again as it was: a command that names the ports it chose.
        self.again_by = command
        wrapped = [sys.executable, "-I", "-S", "-c", _DIES_WITH_PARENT, str(os.getpid()), *command]
        with self._out.open("wb") as out, self.log.open("ab") as log:
            self.process = subprocess.Popen(
                wrapped,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=log,
                cwd=folder,
                start_new_session=True,
            )

    def again(self, *more: str) -> Child:
        """The same process once more, with `more` words behind its command."""
        child = Child(self.name, [*self.again_by, *more], folder=self._folder)
        child.again_by = self.again_by
        return child

    def obituary(self) -> str:
        """How it died, in one line."""
        return f"{self.name} died (exit status {self.process.returncode}): {self.last_words()}"

    def ready(self, deadline: Deadline) -> dict[str, Any]:
        """Wait for the ready line until `deadline`. Raises LabFault that quotes the log."""
        while (line := self._first_line()) is None and deadline.left():
            time.sleep(0.02)
        try:
            told: dict[str, Any] = json.loads(line or "")
        except ValueError:
            raise LabFault(f"{self.name} did not become ready: {self.last_words()}") from None
        return told

    def _first_line(self) -> str | None:
        """What it printed first; a dash when it ended without a word."""
        text = self._out.read_text(errors="replace")
        if "\n" in text:
            return text.partition("\n")[0]
        return None if self.process.poll() is None else "-"

    def last_words(self) -> str:
        """The last line of the log, or how the process ended."""
        lines = self.log.read_text(errors="replace").strip().splitlines()
        if lines:
            return lines[-1]
        code = self.process.poll()
        return "it is silent" if code is None else f"exit status {code}"


class Children:
    """All processes of a rack."""

    def __init__(self, folder: Path):
        self._folder = folder
        self._children: list[Child] = []

    def start(self, name: str, command: list[str]) -> Child:
        """Start a process whose log goes to the rack's folder."""
        child = Child(name, command, folder=self._folder)
        self._children.append(child)
        return child

    def dead(self) -> list[Child]:
        """What died by itself."""
        return [child for child in self._children if child.process.poll() is not None]

    def restart(self, child: Child, *more: str) -> Child:
        """Start a dead child again as it was."""
        fresh = self._children[self._children.index(child)] = child.again(*more)
        return fresh

    def stop(self) -> None:
        """End them in reverse order: politely, then by force."""
        for child in reversed(self._children):
            if child.process.poll() is None:
                child.process.terminate()
        deadline = time.monotonic() + STOP_SECONDS
        for child in reversed(self._children):
            try:
                child.process.wait(max(deadline - time.monotonic(), 0.1))
            except subprocess.TimeoutExpired:
                child.process.kill()
                child.process.wait()
        self._children.clear()
