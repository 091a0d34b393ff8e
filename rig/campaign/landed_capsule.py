"""A capsule of a cut on a board: not an operation, but where the cut landed, which the model has several cuts for.

::

    KIND PATH generation=b new=77ab… landed=program@0x8006400 ended=previous/self sum=1b2c3d4e
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from rig.campaign.strata import BoardSweeps
from rig.campaign.trial import Trial
from rig.errors import Misuse
from rig.firmware.manifest import Image
from rig.power.landing import Landing
from rig.recovery.ladder import Outcome
from rig.sweep.capsule import read_ended
from rig.sweep.capsule_line import choices_and_images, hashes_of, named, read_line, sealed
from rig.sweep.family import checked_path, sweeps_of
from rig.sweep.scenario import Settled

_FIXED = ("landed", "ended")
_LANDED = re.compile(r"([a-z0-9-]+)(?:@(0x[0-9a-f]{1,8}))?", re.ASCII)
BY_ITSELF = "self"


def is_landed(line: str) -> bool:
    """Whether a capsule is of a landing."""
    return any(word.startswith("landed=") for word in line.split())


@dataclass(frozen=True, slots=True)
class LandedCapsule:
    """Where a cut on a board landed, and how the board ended; `images` by role are begins of SHA-256 in hex."""

    kind: str
    path: str
    choices: Mapping[str, str]
    images: Mapping[str, str]
    phase: str
    #: Where in flash the operation under way was; None where the landing does not tell.
    address: int | None
    ended: Settled

    def __str__(self) -> str:
        where = f"{self.phase}@{self.address:#x}" if self.address is not None else self.phase
        words = [self.kind, self.path, *named(self.choices, self.images)]
        return sealed(" ".join([*words, f"landed={where}", f"ended={self.ended.became}/{self.ended.rung}"]))

    @classmethod
    def parse(cls, line: str) -> LandedCapsule:
        """Read one. Raises Misuse for what is none, or was changed since it was written."""
        kind, path, fields = read_line(line)
        sweeps = sweeps_of(kind)
        known = sweeps.choices(checked_path(sweeps, kind, path))
        choices, images = choices_and_images(fields, known, f"{path} of a {kind}", _FIXED)
        landed = _LANDED.fullmatch(fields.get("landed", ""))
        if landed is None:
            raise Misuse("the capsule does not say where the cut landed", hint="landed=PHASE@0xADDRESS")
        address = int(landed[2], 16) if landed[2] else None
        return cls(kind, path, choices, images, landed[1], address, read_ended(fields.get("ended", "")))


def capsule_of(
    kind: str,
    sweeps: BoardSweeps,
    trial: Trial[Any],
    tags: Mapping[str, str],
    roles: Mapping[str, Image],
    landing: Landing,
    outcome: Outcome,
) -> str:
    """The line of a cut on a board with these tags and images; empty where the model has no such update.

    An image over itself has none: nobody can tell what the board became.
    """
    path, model = sweeps.path_of(trial), sweeps_of(kind)
    if path is None or trial.target.sha256 == roles["old"].sha256:
        return ""
    if path not in model.paths or landing.known_by != "read-back" or not _LANDED.fullmatch(landing.phase):
        return ""
    offered = model.choices(path)
    choices = {name: value for name, value in sweeps.choices(tags, roles).items() if name in offered}
    if any(value not in offered[name] for name, value in choices.items()):
        return ""
    used = {role: image for role, image in roles.items() if role in model.roles(path)}
    ended = Settled(outcome.image, BY_ITSELF) if outcome.by_itself else Settled(outcome.name, outcome.rung)
    return str(LandedCapsule(kind, path, choices, hashes_of(used), landing.phase, landing.address, ended))
