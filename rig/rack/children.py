"""Processes a rack is made of: started together, named when they die, never left behind."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rig.clock import Deadline
from rig.errors import LabFault
from rig.process import spawn
from rig.rack.fork_server import PYTHON_MODULE, ForkServer, Process

STOP_SECONDS = 5.0


class Child:
    """One process; what it prints goes to `NAME.out` and `NAME.log`, so that no pipe can fill and stop it."""

    def __init__(self, name: str, command: list[str], *, folder: Path, forks: ForkServer | None = None):
        self.name = name
        self.log = folder / f"{name}.log"
        self._out = folder / f"{name}.out"
        self._folder = folder
        self.born = time.monotonic()
        #: What starts it again as it was: a command that names the ports it chose.
        self.again_by = command
        self.process = self._start(command, forks)

    def _start(self, command: list[str], forks: ForkServer | None) -> Process:
        with self._out.open("wb") as out, self.log.open("ab") as log:
            if forks is not None and command[:2] == PYTHON_MODULE:
                return forks.start(command, self._out, self.log)
            return spawn(command, stdin=subprocess.DEVNULL, stdout=out, stderr=log, cwd=self._folder)

    def again(self, *more: str) -> Child:
        """The same process once more, with `more` words behind its command."""
        child = Child(self.name, [*self.again_by, *more], folder=self._folder)
        child.again_by = self.again_by
        return child

    def exit_description(self) -> str:
        """How it died, in one line."""
        return f"{self.name} died (exit status {self.process.returncode}): {self.last_line()}"

    def ready(self, deadline: Deadline) -> dict[str, Any]:
        """Wait for the ready line until `deadline`. Raises LabFault that quotes the log."""
        while (line := self._first_line()) is None and deadline.left():
            time.sleep(0.02)
        try:
            ready_line: dict[str, Any] = json.loads(line or "")
        except ValueError:
            raise LabFault(f"{self.name} did not become ready: {self.last_line()}") from None
        return ready_line

    def _first_line(self) -> str | None:
        """What it printed first; a dash when it ended without a word."""
        text = self._out.read_text(errors="replace")
        if "\n" in text:
            return text.partition("\n")[0]
        return None if self.process.poll() is None else "-"

    def last_line(self) -> str:
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
        self._forks: ForkServer | None = None

    @contextlib.contextmanager
    def forked(self) -> Iterator[None]:
        """Meanwhile what is a Python module is forked from one process that has loaded it (Linux)."""
        if sys.platform != "linux":
            yield
            return
        with ForkServer(self._folder) as self._forks:
            try:
                yield
            finally:
                self._forks = None

    def load(self, module: str, manifest: Path | None = None) -> None:
        """Have a module ready for those that start next, with what it prepares of a manifest; none if it is empty."""
        if module and self._forks is not None:
            self._forks.load(module, manifest)

    def start(self, name: str, command: list[str]) -> Child:
        """Start a process whose log goes to the rack's folder."""
        child = Child(name, command, folder=self._folder, forks=self._forks)
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
