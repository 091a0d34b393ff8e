"""A stratum: cuts that are alike enough to be counted together, and what came of one of them.

Evidence of different tiers is never added up, nor that of boards that were built otherwise.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import Enum
from typing import Any, NamedTuple

from rig.firmware.manifest import Image
from rig.power.landing import OUTSIDE, Landing


class Stratum(NamedTuple):
    """`variant` is what the model lets choose, as it is on these boards."""

    tier: str
    board: str
    variant: str
    path: str
    phase: str

    def __str__(self) -> str:
        return " ".join(filter(None, (self.board, self.variant, self.path, self.phase)))


class Fell(Enum):
    """What became of an aim."""

    LANDED = "landed"
    #: Read back in another phase than the one that was aimed at.
    ELSEWHERE = "elsewhere"
    #: Flash does not tell: an interval, and never evidence that a board survives.
    INFERRED = "inferred"
    #: Before or after everything, or spoiled by the rig, which was late.
    MISSED = "missed"

    @classmethod
    def of(cls, landing: Landing, phase: str) -> Fell:
        """Of a landing that was aimed at a phase."""
        if landing.known_by != "read-back":
            return cls.INFERRED
        if landing.phase == OUTSIDE:
            return cls.MISSED
        return cls.LANDED if landing.phase == phase else cls.ELSEWHERE


@dataclass(frozen=True, slots=True)
class Swept:
    """One cut of a board sweep, as the ledger has it beside the cut's own line."""

    #: Of the sweep's cuts, in the order in which they were asked for.
    number: int
    stratum: Stratum
    place: str
    #: 0 where the phase begins, 1 where it ends.
    position: float
    fell: Fell
    #: What the board became, an outcome's name, and the rung that healed it; empty where nobody knows.
    became: str = ""
    rung: str = ""
    #: Needed a hand or a cable, or was not healed at all.
    needed_hand: bool = False
    dead: bool = False
    #: Whether the relay took more or less than was reckoned with.
    late: bool = False
    #: What the model says of it: agrees, disagrees, or none where it has no map.
    model: str = "none"
    #: The line that replays the cut, and the model's nearest cut.
    capsule: str = ""
    model_capsule: str = ""
    #: The number of the cut's line.
    trial: str = ""

    def to_dict(self) -> dict[str, Any]:
        """For the ledger."""
        return {**asdict(self), "stratum": self.stratum._asdict(), "fell": self.fell.value}

    @classmethod
    def from_dict(cls, line: dict[str, Any]) -> Swept:
        """From a line of the ledger. Raises KeyError, TypeError, ValueError."""
        fields = {name: line[name] for name in cls.__dataclass_fields__}
        return cls(**{**fields, "stratum": Stratum(**line["stratum"]), "fell": Fell(line["fell"])})


DISAGREES, AGREES, NO_MAP = "disagrees", "agrees", "none"


def variant_of(choices: Mapping[str, str]) -> str:
    """How boards are built, in one word."""
    return ",".join(f"{name}={value}" for name, value in sorted(choices.items()))


def hashes_of(roles: Mapping[str, Image]) -> dict[str, str]:
    """Images by role as the ledger names them."""
    return {role: image.sha256 for role, image in sorted(roles.items())}
