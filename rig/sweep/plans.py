"""Every plan that words ask for: `all` in place of a path, or of a choice's value, stands for each that there is."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import product
from typing import TYPE_CHECKING

from rig.errors import Misuse
from rig.sweep.family import Sweeps, checked_choices, checked_path, sweeps_of
from rig.sweep.plan import SweepPlan

if TYPE_CHECKING:
    from rig.firmware.manifest import Image

ALL = "all"


def asks_for_many(path: str, chosen: Mapping[str, str]) -> bool:
    """Whether words stand for several plans, though there may be only one."""
    return ALL in (path, *chosen.values())


def plans_of(
    kind: str, path: str, chosen: Mapping[str, str], images: Mapping[str, Image], tears: tuple[str, ...], seed: int
) -> list[SweepPlan]:
    """One plan for each path and each combination of choices. Raises Misuse for what there is not."""
    sweeps = sweeps_of(kind)
    return [
        SweepPlan(kind, name, choices, _used(sweeps, name, images), tears, seed)
        for name, its in _paths(sweeps, kind, path, chosen)
        for choices in _combinations(sweeps, kind, name, its)
    ]


def _used(sweeps: Sweeps, path: str, images: Mapping[str, Image]) -> dict[str, Image]:
    """The images that a path uses: a capsule names no other."""
    return {role: image for role, image in images.items() if role in sweeps.roles(path)}


def _paths(sweeps: Sweeps, kind: str, path: str, chosen: Mapping[str, str]) -> list[tuple[str, dict[str, str]]]:
    """The paths, each with what was chosen for it: of all paths, a choice is for those to which it means something."""
    if path != ALL:
        return [(checked_path(sweeps, kind, path), dict(chosen))]
    known = {name for path in sweeps.paths for name in sweeps.choices(path)}
    if unknown := set(chosen) - known:
        there_is = ", ".join(sorted(known)) or "nothing"
        raise Misuse(f"nothing called {min(unknown)!r} can be chosen for a {kind}", hint=f"there is {there_is}")
    return [
        (path, {name: value for name, value in chosen.items() if name in sweeps.choices(path)}) for path in sweeps.paths
    ]


def _combinations(sweeps: Sweeps, kind: str, path: str, chosen: Mapping[str, str]) -> list[dict[str, str]]:
    """Every value of the choices that are to be `all`, with the one value of each other choice."""
    known = sweeps.choices(path)
    single = {name: known[name][0] if value == ALL and name in known else value for name, value in chosen.items()}
    usual = checked_choices(sweeps, kind, path, single)
    values = [known[name] if chosen.get(name) == ALL else (value,) for name, value in usual.items()]
    return [dict(zip(usual, combination, strict=True)) for combination in product(*values)]
