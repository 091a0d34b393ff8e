"""Plans of sweeps over the rig's own images."""

from __future__ import annotations

from rig.firmware.checkout import manifest_path
from rig.firmware.manifest import Manifest
from rig.sweep.cut_points import TEARS
from rig.sweep.family import checked_choices, sweeps_of
from rig.sweep.plan import SweepPlan

MANIFEST = Manifest.load(manifest_path())
IMAGES = MANIFEST.images("spark-core")


def core_plan(path: str, seed: int = 0, **choices: str) -> SweepPlan:
    """Of a Core's path, with the images that every run has."""
    return plan_of("spark-core", path, seed, **choices)


def plan_of(kind: str, path: str, seed: int = 0, **choices: str) -> SweepPlan:
    """The same for boards of any kind."""
    sweeps = sweeps_of(kind)
    images = {role: image for role, image in MANIFEST.roles(kind).items() if role in sweeps.roles(path)}
    return SweepPlan(kind, path, checked_choices(sweeps, kind, path, choices), images, TEARS, seed)
