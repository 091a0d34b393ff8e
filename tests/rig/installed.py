"""Programs of the system that some tests talk to: where one is not installed, they are skipped, and say so."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import pytest

#: Where servers lie; a user's PATH leaves these out.
SERVERS = ("/usr/local/sbin", "/usr/sbin", "/sbin")


def installed(program: str) -> str:
    """Where it lies beside this Python (programs of our own packages), else its name where PATH knows it, else where.

    An environment need not be on PATH for its Python to run these tests.
    """
    ours = shutil.which(program, path=str(Path(sys.executable).parent))
    if ours is not None:
        return ours
    if shutil.which(program) is not None:
        return program
    found = shutil.which(program, path=os.pathsep.join(SERVERS))
    if found is None:
        pytest.skip(f"{program} is not installed")
    return found


def whole_path(program: str) -> str:
    """Where it lies: for those who start only by that (sshd), or are called by others."""
    found = shutil.which(installed(program))
    assert found is not None
    return found


def sslyze() -> str:
    """The scanner, which lives in an environment of its own: RIG_SSLYZE says where, else PATH."""
    return installed(os.environ.get("RIG_SSLYZE", "sslyze"))


def spark_cli() -> str:
    """The Spark command line of 2014: RIG_SPARK_CLI says where, and nothing else; PATH's `spark` is another program."""
    found = os.environ.get("RIG_SPARK_CLI")
    if found is None:
        pytest.skip("spark-cli is not installed, and RIG_SPARK_CLI names none")
    return installed(found)
