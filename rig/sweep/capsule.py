"""One line that holds all that a cut needs to be done again: family, choices, images by hash, path, cut, tear, seed.

::

    KIND PATH generation=b old=5f0c… new=77ab… cut=55329:prefix seed=0 ended=dfu/reflash sum=1b2c3d4e

A cut that follows another, in the start after it, stands behind a comma: `cut=55329:prefix,12:before`. An image of
which only the begin is meant has its length behind it, in bytes: `new=77ab…@4096`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from rig.errors import Misuse
from rig.sweep.capsule_line import IMAGE_DIGITS, choices_and_images, hashes_of, named, read_line, sealed
from rig.sweep.cut_points import BEFORE, TEARS
from rig.sweep.family import checked_path, sweeps_of
from rig.sweep.plan import SweepPlan
from rig.sweep.scenario import Settled

if TYPE_CHECKING:
    from rig.firmware.manifest import Image

_CUT = re.compile(r"(0|[1-9][0-9]{0,11}):([a-z-]+)", re.ASCII)
_FIXED = ("cut", "seed", "ended")
#: Each operation, counted from the supply's rise before it, and how it was left.
Cuts = tuple[tuple[int, str], ...]


@dataclass(frozen=True, slots=True)
class Capsule:
    """One cut, or cuts in a row, of one update; `images` by role are begins of SHA-256 in hex, perhaps `@` a length."""

    kind: str
    path: str
    choices: Mapping[str, str]
    images: Mapping[str, str]
    cuts: Cuts
    seed: int
    #: How it ended when the line was written; None where nobody says so.
    ended: Settled | None = None

    @classmethod
    def of(cls, plan: SweepPlan, cuts: Cuts, ended: Settled | None) -> Capsule:
        """Of a sweep's cut."""
        return cls(plan.kind, plan.path, dict(plan.choices), hashes_of(plan.images), cuts, plan.seed, ended)

    def __str__(self) -> str:
        return sealed(self._text())

    @property
    def cut_text(self) -> str:
        """The cuts, as the line has them."""
        return ",".join(f"{k}:{tear}" for k, tear in self.cuts)

    def _text(self) -> str:
        words = [self.kind, self.path, *named(self.choices, self.images)]
        words += [f"cut={self.cut_text}", f"seed={self.seed}"]
        words += [f"ended={self.ended.became}/{self.ended.rung}"] if self.ended is not None else []
        return " ".join(words)

    @classmethod
    def parse(cls, line: str) -> Capsule:
        """Read one. Raises Misuse for what is none, or was changed since it was written."""
        kind, path, fields = read_line(line)
        sweeps = sweeps_of(kind)
        known = sweeps.choices(checked_path(sweeps, kind, path))
        choices, images = choices_and_images(fields, known, f"{path} of a {kind}", _FIXED)
        ended = read_ended(fields["ended"]) if "ended" in fields else None
        return cls(kind, path, choices, images, _cuts(fields.get("cut", "")), _seed(fields.get("seed", "0")), ended)


def shortened(capsule: Capsule, role: str, image: Image, length: int) -> Capsule:
    """The same with only the first bytes of one image."""
    return replace(capsule, images={**capsule.images, role: f"{image.sha256[:IMAGE_DIGITS]}@{length}"})


def _cuts(text: str) -> Cuts:
    cuts = [_CUT.fullmatch(part) for part in text.split(",")]
    found = tuple((int(match[1]), match[2]) for match in cuts if match is not None)
    if len(found) < len(cuts) or any(tear not in (BEFORE, *TEARS) for _, tear in found):
        raise Misuse(f"cut={text} in the capsule is not OPERATION:TEAR", hint=f"TEAR is {BEFORE}, {', '.join(TEARS)}")
    return found


def _seed(text: str) -> int:
    if not re.fullmatch(r"-?[0-9]{1,18}", text, re.ASCII):
        raise Misuse(f"seed={text} in the capsule is no number")
    return int(text)


def read_ended(text: str) -> Settled:
    """How a capsule says that a board ended. Raises Misuse."""
    became, slash, rung = text.partition("/")
    if not (became and slash and rung):
        raise Misuse(f"ended={text} in the capsule is not OUTCOME/RUNG", hint="for example ended=dfu/reflash")
    return Settled(became, rung)
