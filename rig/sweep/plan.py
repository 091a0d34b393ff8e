"""What is swept, in words that another process understands: it makes the same scenario from them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rig.sweep.family import sweeps_of
from rig.sweep.scenario import Scenario

if TYPE_CHECKING:
    from rig.firmware.manifest import Image, Manifest


def images_of(kind: str, known: Manifest) -> dict[str, Image]:
    """The images of a manifest that sweeps of a kind of board use, by role. Raises Misuse for a kind it has none of."""
    sweeps = sweeps_of(kind)
    used = {role for path in sweeps.paths for role in sweeps.roles(path)}
    return {role: image for role, image in known.roles(kind).items() if role in used}


@dataclass(frozen=True, slots=True)
class SweepPlan:
    """Kind of board, path, choices, images by role, and which tears with which seed."""

    kind: str
    path: str
    choices: Mapping[str, str]
    images: Mapping[str, Image]
    tears: tuple[str, ...]
    seed: int = 0

    def scenario(self) -> Scenario:
        """The update, performed once in memory. Raises Misuse."""
        return sweeps_of(self.kind).scenario(self.path, self.choices, self.images)

    def to_dict(self) -> dict[str, Any]:
        """For the ledger: images are named by their hashes."""
        return {
            "kind": self.kind,
            "path": self.path,
            "choices": dict(self.choices),
            "images": {role: image.sha256 for role, image in sorted(self.images.items())},
            "tears": list(self.tears),
            "seed": self.seed,
        }

    @property
    def identity(self) -> str:
        """The same for the same sweep, and for no other: a hash in hex."""
        behaviour = {role: [image.runs, repr(image.details)] for role, image in self.images.items()}
        text = json.dumps({**self.to_dict(), "behaviour": behaviour}, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()
