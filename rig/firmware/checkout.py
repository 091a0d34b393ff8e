"""Where the parts of the project that are not Python modules lie: fixtures, places and board suites."""

from __future__ import annotations

from pathlib import Path

from rig.errors import Misuse
from rig.files import real

#: Where labgrid's own tools look for a coordinator.
DEFAULT_COORDINATOR = "127.0.0.1:20408"
ROOT = Path(__file__).resolve().parents[2]


def part(*names: str) -> Path:
    """A file or folder of the checkout. Raises Misuse when the rig was installed without it."""
    path = ROOT.joinpath(*names)
    if not path.exists():
        raise Misuse(f"{path} does not exist", hint="install the rig from its checkout: pip install -e .")
    return path


def manifest_path(chosen: Path | None = None) -> Path:
    """The manifest of firmware that was chosen, else the one that comes with the rig."""
    return real(chosen) if chosen is not None else part("firmware-fixtures", "manifest.toml")
