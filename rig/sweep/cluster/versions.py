"""What a process sweeps with: two that have the same answer every cut alike."""

from __future__ import annotations

import hashlib
import importlib.util
import platform
from collections.abc import Mapping
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from rig import __version__, registry


@cache
def versions(kind: str) -> Mapping[str, str]:
    """Of Python, of the rig, and of the package that boards of this kind are from: release, and a sum of its sources.

    Raises Misuse for a kind of board that this process does not know.
    """
    package = registry.package_of(kind)
    found = {"Python": platform.python_version(), "rig": f"{__version__} of sources {_sources('rig')}"}
    if package != "rig":
        found[package] = f"{_release(package)} of sources {_sources(package)}"
    return found


def difference(ours: Mapping[str, str], theirs: Mapping[str, str]) -> str | None:
    """The first that is not the same, in words; None where all are."""
    for name, its in ours.items():
        if theirs.get(name) != its:
            return f"{name} {theirs.get(name, 'is missing')}, and the sweep has {its}"
    return None


def _release(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "without a release"


def _sources(package: str) -> str:
    """A sum over a package's modules, by name and content: 12 hex digits."""
    found, digest = importlib.util.find_spec(package), hashlib.sha256()
    for folder in (found.submodule_search_locations or []) if found is not None else []:
        for path in sorted(Path(folder).rglob("*.py")):
            digest.update(f"{path.relative_to(folder).as_posix()}\0".encode() + path.read_bytes() + b"\0")
    return digest.hexdigest()[:12]
