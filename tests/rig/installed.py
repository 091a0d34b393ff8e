"""Programs of the system that some tests talk to: where one is not installed, they are skipped, and say so."""

from __future__ import annotations

import shutil

import pytest


def installed(program: str) -> str:
    """Its name, where it is there."""
    if shutil.which(program) is None:
        pytest.skip(f"{program} is not installed")
    return program
