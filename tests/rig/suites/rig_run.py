"""`rig run` in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys

from rig.firmware.checkout import part
from tests.rig.waiting import HANGS

RUN = [sys.executable, "-m", "rig", "run"]


def rig_run(*words: object, **env: str) -> subprocess.CompletedProcess[str]:
    command = [*RUN, *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, timeout=HANGS, env={**os.environ, **env})


def manifest_without_expectations() -> str:
    """The rig's own, to lie somewhere else: the file that it names would not be there."""
    return part("firmware-fixtures", "manifest.toml").read_text().replace('expectations = "expectations.toml"', "")
