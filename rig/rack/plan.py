"""What a virtual rack is made of: a board for each slot, and which of them some tests ask for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from rig.errors import LabFault
from rig.family.contract import family_of
from rig.family.rack_slot import Slot
from rig.lab.wanted import Wanted, rare_tags
from rig.registry import kinds


@dataclass(frozen=True, slots=True)
class RackPlan:
    """What to build: a board for each slot, shipped with the images of `manifest` (None: the rig's own)."""

    slots: Sequence[Slot]
    manifest: Path | None = None
    seed: int = 0

    @classmethod
    def of(
        cls, boards: Mapping[str, int], time_scale: float, tags: Mapping[str, str], manifest: Path | None
    ) -> RackPlan:
        """So many boards of each kind, with these tags as far as there is a choice. Raises Misuse, LabFault."""
        slots = {kind: family_of(kind).slot.of(time_scale, tags) for kind in boards}
        return cls([slots[kind] for kind, count in boards.items() for _ in range(count)], manifest)

    @classmethod
    def for_cases(
        cls,
        wanted: Sequence[Wanted] | None,
        workers: int,
        manifest: Path | None,
        *,
        every_case: bool,
        boards: Mapping[str, int] | None = None,
    ) -> RackPlan:
        """Boards for tests that ask for these, so many at once; for whatever they may ask for, where it is not known.

        With `boards` there are so many of each kind at most, and no others. Raises LabFault.
        """
        plan = cls.for_suites(workers, manifest, every_case=every_case)
        if wanted is not None:
            if not plan.has_all(wanted):
                plan = cls.for_suites(workers, manifest, every_case=True)
            plan = plan.asked_for(wanted, workers)
        return plan if boards is None else plan.at_most(boards, wanted or ())

    @classmethod
    def for_suites(cls, workers: int, manifest: Path | None, *, every_case: bool) -> RackPlan:
        """Boards for the suites: of each family, quick ones for each worker, and others that some case asks for."""
        slots = [slot for boards in usual_first() for slot in boards.for_suites(workers, every_case=every_case)]
        return cls(slots, manifest)

    def has_all(self, wanted: Iterable[Wanted]) -> bool:
        """Whether there is a board for each case."""
        return all(any(_fits(slot, case) for slot in self.slots) for case in wanted)

    def asked_for(self, wanted: Iterable[Wanted], at_once: int) -> RackPlan:
        """The same without the boards that nobody asks for.

        Each case takes a board that fits it, while there are any and the case has fewer than `at_once` to run on: so
        many tests run at a time. Those that ask for most take first, so that others can share what they took; but what
        is rare, a slow board above all, is for those who ask for it.
        """
        left: list[Slot] = list(self.slots)
        taken: list[Slot] = []
        for case in sorted(wanted, key=lambda case: len(case[1]), reverse=True):
            fits = (slot for slot in left if _fits(slot, case))
            if sum(_suits(slot, case) for slot in taken) < at_once and (slot := next(fits, None)):
                left.remove(slot)
                taken.append(slot)
        return replace(self, slots=sorted(taken, key=self.slots.index))

    def at_most(self, boards: Mapping[str, int], wanted: Iterable[Wanted]) -> RackPlan:
        """The same with so many boards of each kind at most, and of no other kind.

        First are those on which most cases run that would have none; then, as there is room, those that come first.
        """
        left = [slot for slot in self.slots if slot.kind in boards]
        unserved = list(wanted)
        taken: list[Slot] = []
        while left:
            best = max(left, key=lambda slot: sum(_fits(slot, case) for case in unserved))
            left.remove(best)
            taken.append(best)
            unserved = [case for case in unserved if not _fits(best, case)]
            full = {kind for kind, most in boards.items() if sum(slot.kind == kind for slot in taken) >= most}
            left = [slot for slot in left if slot.kind not in full]
        return replace(self, slots=sorted(taken, key=self.slots.index))


def usual_first(*, whole: bool = True) -> list[type[Slot]]:
    """The boards of all families; those that a rack has where nobody says which come first.

    Raises LabFault for a family that does not load; one is left out where not the `whole` list is needed.
    """
    found = []
    for kind in kinds():
        try:
            found.append(family_of(kind).slot)
        except LabFault:
            if whole:
                raise
    return sorted(found, key=lambda slot: (-slot.usual, slot.kind))


def _fits(slot: Slot, case: Wanted) -> bool:
    return {"board": case[0], **case[1]}.items() <= slot.abilities.items()


def _suits(slot: Slot, case: Wanted) -> bool:
    """Whether it fits, and has nothing rare that the case does not ask for."""
    return _fits(slot, case) and rare_tags(slot.kind, slot.abilities).keys() <= case[1].keys()
