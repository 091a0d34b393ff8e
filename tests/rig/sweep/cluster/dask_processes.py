"""A scheduler and workers of Dask as processes, started as the guide says."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rig.process import spawn
from tests.rig.installed import installed
from tests.rig.waiting import HANGS, until


class DaskProcesses:
    """One scheduler, and workers by name; whatever lives is killed at the end."""

    def __init__(self, folder: Path):
        self._folder = folder
        self._processes: dict[str, subprocess.Popen] = {}
        told = folder / "scheduler.json"
        self._start("scheduler", "scheduler", "--scheduler-file", told, "--port", "0")
        until(lambda: told.exists() and told.read_text().endswith("}"), "a scheduler", seconds=HANGS)
        self.address = json.loads(told.read_text())["address"]

    def start_worker(self, name: str, **environment: object) -> None:
        """One more; it is not waited for."""
        words = ("--name", name, "--nthreads", "1", "--no-nanny", "--local-directory", self._folder)
        self._start(name, "worker", self.address, *words, **environment)

    def halt(self, name: str) -> None:
        """It answers no more, and comes to no end of what it does."""
        self._processes[name].send_signal(signal.SIGSTOP)

    def kill(self, name: str) -> None:
        """For good, without a word."""
        process = self._processes.pop(name)
        process.kill()
        process.wait()

    def end(self) -> None:
        """Kill whatever lives."""
        for name in list(self._processes):
            self.kill(name)

    def _start(self, name: str, *words: object, **environment: object) -> None:
        command = [installed("dask"), *map(str, words), "--host", "127.0.0.1", "--dashboard-address", "127.0.0.1:0"]
        whole = {**os.environ, **{key: str(value) for key, value in environment.items()}}
        with (self._folder / f"{name}.log").open("w") as log:
            self._processes[name] = spawn(command, stdout=log, stderr=log, env=whole)


@contextmanager
def dask_processes(folder: Path) -> Iterator[DaskProcesses]:
    """Until this ends."""
    started = DaskProcesses(folder)
    try:
        yield started
    finally:
        started.end()
