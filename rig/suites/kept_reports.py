"""Where the report of a pytest run goes that names no folder: the last few are kept, as pytest keeps its own."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from pathlib import Path

from rig.files import make_folder, own_folder

#: How many are kept, with the one that is begun.
KEPT = 3
_OURS = re.compile(r"\d{8}-\d{6}-\d+")


def kept_folder(run: str) -> Path:
    """Where the report of this process's run is kept; nothing is made."""
    return _kept() / f"{run}-{os.getpid()}"


def is_kept(folder: Path) -> bool:
    """Whether a report folder is one that nobody named: it goes when newer ones come."""
    return folder.parent == _kept()


def make_report_folder(folder: Path) -> Path:
    """Make a report folder; of those that nobody named, old ones of runs that are over go. Raises Misuse, LabFault."""
    from rig.evidence.run_log import goes_on

    if is_kept(folder):
        others = [path for path in own_folder(_kept()).iterdir() if _OURS.fullmatch(path.name) and path != folder]
        for old in sorted(others, key=lambda path: path.name, reverse=True)[KEPT - 1 :]:
            if not goes_on(old):
                shutil.rmtree(old, ignore_errors=True)
    return make_folder(folder)


def _kept() -> Path:
    return Path(tempfile.gettempdir()) / f"rig-reports-{os.getuid()}"
