"""Programs of the system that some tests talk to: where one is not installed, they are skipped, and say so."""

from __future__ import annotations

import os
import shutil

import pytest

#: Where servers lie; a user's PATH leaves these out.
SERVERS = ("/usr/local/sbin", "/usr/sbin", "/sbin")


def installed(program: str) -> str:
    """Its name where PATH knows it, else where it lies."""
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
