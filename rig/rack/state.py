"""The folder in which a virtual rack keeps its boards' flash: one rack at a time has it."""

from __future__ import annotations

from pathlib import Path

from rig.errors import Misuse
from rig.state_folder import FolderLock, state_folder


def hold_state(state: Path) -> FolderLock:
    """Keep other racks from a folder of flash. Raises Misuse."""
    try:
        folder = state_folder(state)
    except Misuse as error:
        raise Misuse(f"--state: {error.message}", hint="a folder; it is made when it is not there") from error
    try:
        return FolderLock(folder)
    except Misuse as error:
        raise Misuse(f"--state {state} is another rack's", hint="stop that one, or name another folder") from error
