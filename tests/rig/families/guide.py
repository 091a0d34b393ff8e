"""The guide "Add your board", followed as its reader does: its commands in their order, in a folder of one's own."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

from rig.firmware.checkout import ROOT
from tests.rig.families.pinboards import install
from tests.rig.waiting import HANGS

GUIDE = (ROOT / "rig" / "families" / "README.md").read_text()
SCRIPTS = Path(sys.executable).parent


def blocks(language: str) -> list[str]:
    """The guide's blocks in a language."""
    return re.findall(rf"^```{language}\n(.*?)^```", GUIDE, re.M | re.S)


def commands() -> list[str]:
    """The guide's commands, without what they say behind a sign."""
    lines = "".join(blocks("sh")).splitlines()
    return [line.partition(" #")[0].strip() for line in lines if line.strip()]


@dataclass
class Reader:
    """Somebody who follows the guide: a folder, an environment, and what each command said."""

    folder: Path
    env: dict[str, str] = field(default_factory=lambda: {**os.environ, "PATH": f"{SCRIPTS}:{os.environ['PATH']}"})
    said: dict[str, str] = field(default_factory=dict)
    #: What serves now, at the end the rack; and the exit status that it must end in.
    serving: list[subprocess.Popen[str]] = field(default_factory=list)
    ends_in: int = 0

    def follow(self) -> None:
        """Run every command. One that serves is left running, and told to end before the next one that serves."""
        for command in commands():
            if command.startswith("cp "):
                command = command.replace(" tests/", f" {ROOT}/tests/", 1)
            if command.startswith("cd "):
                self.folder /= command.removeprefix("cd ")
            elif command.startswith("pip install"):
                self.env |= install(self.folder, self.folder.parent / "site")  # without an index
            elif command.startswith(("rig up", "rig twin")):
                self._serve(command)
            else:
                self.said[command] = self.run(command)

    def end(self) -> None:
        """Ctrl-C to what serves."""
        while self.serving:
            process = self.serving.pop()
            process.send_signal(signal.SIGINT)
            _, complaints = process.communicate(timeout=HANGS)
            assert process.returncode == self.ends_in, complaints

    def _serve(self, command: str) -> None:
        self.end()
        pipe = subprocess.PIPE
        process = subprocess.Popen(
            ["bash", "-c", f"exec {command}"], cwd=self.folder, env=self.env, stdout=pipe, stderr=pipe, text=True
        )
        self.serving.append(process)
        assert process.stdout is not None
        self.said[command] = process.stdout.readline()
        while self.said[command].startswith("Virtual rack") and "export" not in self.said[command]:
            self.said[command] += process.stdout.readline()
        for name, value in re.findall(r"export (\w+)=(\S+)", self.said[command]):
            self.env[name] = value

    def run(self, command: str) -> str:
        """What a command says that must end well."""
        done = subprocess.run(
            ["bash", "-euc", command], cwd=self.folder, env=self.env, capture_output=True, text=True, timeout=HANGS
        )
        assert done.returncode == 0, f"{command}: {done.stdout[-3000:]}\n{done.stderr[-3000:]}"
        return done.stdout
