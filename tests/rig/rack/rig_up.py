"""`rig up` in a process of its own, and whether processes are gone."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import psutil

from tests.rig.waiting import HANGS

SCRIPTS = Path(sys.executable).parent


class Up:
    """`rig up` in a process of its own."""

    def __init__(self, *options: str):
        command = [sys.executable, "-m", "rig", "up", "--json", *options]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        line = self.process.stdout.readline()
        assert line, f"rig up: {self.process.communicate()[1]}"
        self.ready = json.loads(line)
        self.coordinator = self.ready["coordinator"]

    def children(self) -> dict[str, psutil.Process]:
        return {_noun(child.cmdline()): child for child in psutil.Process(self.process.pid).children()}

    def client(self, *words: str) -> str:
        env = {**os.environ, "LG_COORDINATOR": self.coordinator}
        command = [str(SCRIPTS / "labgrid-client"), *words]
        done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=HANGS)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def end(self, number: int = signal.SIGTERM) -> tuple[int, str]:
        self.process.send_signal(number)
        _, said = self.process.communicate(timeout=HANGS)
        return self.process.returncode, said


def _noun(command: list[str]) -> str:
    line = " ".join(command)
    kind = re.search(r"labgrid-(coordinator|exporter)|twin (relay)|(cloud) spark|--state \S+/(core-\d+)", line)
    return next(filter(None, kind.groups())) if kind else line


def gone(processes) -> bool:
    _, alive = psutil.wait_procs(processes, timeout=10)
    return not alive
