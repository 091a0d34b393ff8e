"""Pinboards as an installed package, without an index: on the path, with the entry points of their pyproject."""

from __future__ import annotations

import os
import sys
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import EntryPoint
from pathlib import Path
from unittest.mock import patch

from rig import registry

PROJECT = Path(__file__).parent / "pinboard"
sys.path.append(str(PROJECT))  # for tests that import what is in it; commands have a process with a path of its own
MANIFEST = PROJECT / "firmware" / "manifest.toml"


def install(project: Path, site: Path) -> dict[str, str]:
    """What `pip install -e PROJECT` leaves in a folder of packages; returns the environment that finds both."""
    told = tomllib.loads((project / "pyproject.toml").read_text())["project"]
    info = site / f"{told['name']}-{told['version']}.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {told['name']}\nVersion: {told['version']}\n")
    groups = [
        [f"[{group}]", *(f"{name} = {value}" for name, value in points.items())]
        for group, points in told["entry-points"].items()
    ]
    (info / "entry_points.txt").write_text("\n".join(line for group in groups for line in group) + "\n")
    return {"PYTHONPATH": os.pathsep.join([str(site), str(project), os.environ.get("PYTHONPATH", "")])}


@contextmanager
def known() -> Iterator[None]:
    """Let pinboards be installed in this process, beside the rig's own families."""
    found = {**registry._found(), "pinboard": EntryPoint("pinboard", "pinboard.family:FAMILY", registry.GROUP)}
    with patch.object(registry, "_found", lambda: dict(sorted(found.items()))):
        yield
    registry.family.cache_clear()
