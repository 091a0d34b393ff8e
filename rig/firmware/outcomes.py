"""What became of a board, in words, and which outcome is better: the one place where their order is written.

Two things count: what runs in the end, and what it took. `better` is better in one and no worse in the other, `worse`
the same the other way round; whatever is neither, and not the same, has `moved`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, get_args

OutcomeName = Literal["new", "kept", "old", "previous", "factory", "other", "lost", "stranded", "dead"]
RungName = Literal["self", "wait", "power-cycle", "reset", "reflash", "factory-reset", "none"]
Word = Literal["same", "better", "worse", "moved"]
#: What was asked of a board: that it runs the new image, stays with the old one, or takes the factory image.
Wanted = Literal["new", "old", "factory"]

NAMES: tuple[str, ...] = get_args(OutcomeName)
#: Best to worst. `kept` and `lost` are of what is no image: a key, an address, a secret, a radio.
BEST_TO_WORST: tuple[tuple[OutcomeName, ...], ...] = (
    ("new", "kept"),
    ("old",),
    ("previous",),
    ("factory",),
    ("other",),
    ("lost",),
    ("stranded",),
    ("dead",),
)
#: Least to most: nobody did anything, power came and went, a hand on RST, a cable, a hand on MODE, nothing helped.
LEAST_TO_MOST: tuple[tuple[RungName, ...], ...] = (
    ("self", "wait"),
    ("power-cycle",),
    ("reset",),
    ("reflash",),
    ("factory-reset",),
    ("none",),
)
#: Rungs that need nobody, and those that need a hand or a cable.
BY_ITSELF: tuple[RungName, ...] = ("self", "wait")
BY_HAND: tuple[RungName, ...] = ("reset", "reflash", "factory-reset")
_NO_IMAGES = ("kept", "lost", "stranded", "dead")


@dataclass(frozen=True, slots=True)
class Became:
    """What became of a board: an outcome's name, and the rung that healed it; None where nobody climbed.

    `at_ns` is when that was seen (monotonic), where somebody looked: what was done afterwards has another moment.
    """

    name: str
    rung: str | None = None
    at_ns: int | None = field(default=None, compare=False)

    def __str__(self) -> str:
        return self.name if self.rung is None else f"{self.name} ({self.rung})"


def compare(expected: Became, seen: Became, wanted: Wanted = "new") -> Word:
    """How what was seen is, beside what was expected."""
    by_name = _name_grade(seen.name, wanted) - _name_grade(expected.name, wanted)
    by_rung = _by_rung(expected, seen)
    if by_name == by_rung == 0:
        is_another_rung = None not in (expected.rung, seen.rung) and seen.rung != expected.rung
        return "moved" if seen.name != expected.name or is_another_rung else "same"
    if by_name <= 0 and by_rung <= 0:
        return "better"
    return "worse" if by_name >= 0 and by_rung >= 0 else "moved"


def worst(some: Became, other: Became, wanted: Wanted = "new") -> Became:
    """The one of two that is worse; the first where neither is."""
    return other if compare(some, other, wanted) == "worse" else some


def _name_grade(name: str, wanted: Wanted) -> float:
    """Place in the order, 0 for the best. What was wanted is best, a new image that was not is before `other`."""
    if name == wanted:
        return 0
    if name == "new":
        return _name_grade("other", wanted) - 0.5
    return next(grade for grade, names in enumerate(BEST_TO_WORST) if name in names)


def _by_rung(expected: Became, seen: Became) -> int:
    """How much more what was seen took. Without a rung an image is expected to run by itself, others by any rung."""
    needs = expected.rung or (None if expected.name in _NO_IMAGES else BY_ITSELF[0])
    return 0 if needs is None or seen.rung is None else _rung_grade(seen.rung) - _rung_grade(needs)


def _rung_grade(rung: str) -> int:
    return next(grade for grade, rungs in enumerate(LEAST_TO_MOST) if rung in rungs)
