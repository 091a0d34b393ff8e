"""What the process of one place is told when it begins, and what it says while it works."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from rig.board_sweep.stratum import Stratum
from rig.gate.policy import Policy
from rig.lab.lab import Lab
from rig.sweep.plan import SweepPlan
from rig.sweep.spans import Span


@dataclass(frozen=True, slots=True)
class Rules:
    """What must stay as it is from the first cut of a sweep to its last, however often it is gone on with."""

    seed: int
    policy: Policy

    def to_dict(self) -> dict[str, Any]:
        """For the ledger."""
        return {"seed": self.seed, "policy": self.policy.to_dict()}


@dataclass(frozen=True, slots=True)
class Task:
    """Sweep the board in a place by these paths, until nothing more is asked for."""

    lab: Lab
    place: str
    kind: str
    paths: tuple[str, ...]
    manifest: Path | None
    run_id: str
    segment: Path
    rules: Rules
    #: The model's sweeps by path, and what they found.
    maps: Mapping[str, tuple[SweepPlan, tuple[Span, ...]]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Order:
    """One cut that is asked for."""

    number: int
    stratum: Stratum


@dataclass(frozen=True, slots=True)
class Said:
    """What a place's process says: `line` is one of its ledger, `ready` comes with strata, `next` asks for an order.

    `fault` ends it; `status` is what it means for the whole.
    """

    what: Literal["ready", "line", "next", "fault"]
    strata: tuple[Stratum, ...] = ()
    line: Mapping[str, Any] = field(default_factory=dict)
    text: str = ""
    status: int = 0
