"""A landing on a board again, on the model: every cut of the model that it can be, and how each ends."""

from __future__ import annotations

from dataclasses import dataclass

from rig.board_sweep.model_map import ModelMap, Possible, nearest
from rig.campaign.landed_capsule import BY_ITSELF, LandedCapsule
from rig.errors import Misuse
from rig.family.contract import family_of
from rig.firmware.manifest import Image
from rig.power.landing import Landing
from rig.sweep.cut_points import TEARS
from rig.sweep.plan import SweepPlan
from rig.sweep.replay import with_hash
from rig.sweep.scenario import Settled


@dataclass(frozen=True, slots=True)
class LandedAgain:
    """The model's ends of a landing, the most usual first, and the line of the cut that stands for it."""

    ends: tuple[Settled, ...]
    capsule: str

    def happens(self, ended: Settled) -> bool:
        """Whether one of them is how a board ended: the same image by itself, or brought back by the same rung."""
        if ended.rung == BY_ITSELF:
            return ended in self.ends
        return any(end.rung == ended.rung for end in self.ends)

    def __str__(self) -> str:
        return " or ".join(f"{end.became}, healed by {end.rung}" for end in self.ends)


def replay_landed(capsule: LandedCapsule, images: list[Image]) -> LandedAgain:
    """What the model says of it. Raises Misuse where a landing is none of the model's."""
    chosen = {role: with_hash(role, told, images) for role, told in capsule.images.items()}
    plan = SweepPlan(capsule.kind, capsule.path, capsule.choices, chosen, TEARS)
    sweeps = family_of(capsule.kind).campaign.board_sweeps
    model = ModelMap.swept(plan, sweeps.paths[capsule.path].begins)
    landing = Landing(capsule.phase, capsule.address, "read-back", "")
    possible = model.possible(landing, sweeps.reader(capsule.path, chosen, capsule.phase))
    if not possible:
        raise Misuse("no cut of the model lands there", hint="is the capsule of these images?")
    stands = nearest(possible, landing)
    assert stands is not None, "there are some"
    return LandedAgain(_ends(possible), model.capsule(stands))


def _ends(possible: list[Possible]) -> tuple[Settled, ...]:
    counts: dict[Settled, int] = {}
    for one in possible:
        counts[one.settled] = counts.get(one.settled, 0) + 1
    return tuple(sorted(counts, key=lambda end: (-counts[end], end)))
