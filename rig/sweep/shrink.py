"""A smaller capsule with the same end: fewer cuts, an earlier operation, less of the new image."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace

from rig.errors import RigError
from rig.firmware.manifest import Image
from rig.sweep.capsule import Capsule, Cuts, shortened
from rig.sweep.chunk import ChunkSweep
from rig.sweep.cut_points import TEARS
from rig.sweep.cuts_in_a_row import CutsInARow
from rig.sweep.replay import plan_of, replay
from rig.sweep.scenario import Scenario, Settled

#: The part whose image is made shorter first; by so many bytes at least: whole words.
FIRST, STEP = "new", 4


def shrink(capsule: Capsule, images: Iterable[Image], say: Callable[[str], None]) -> Capsule:
    """The smallest capsule that is found to end as this one does; `say` hears of each step.

    An image is halved as long as the end stays, and then the length is narrowed down: where an end comes and goes with
    the length, a shorter one may be missed. Raises Misuse where the capsule cannot be replayed.
    """
    known = list(images)
    ended = replay(capsule, known).settled
    smallest = replace(_earliest(capsule, known, ended) or capsule, ended=ended)
    for role, image in sorted(plan_of(capsule, known).images.items(), key=lambda part: part[0] != FIRST):
        say(f"cut {smallest.cut_text}")
        smallest = _shorter(smallest, role, image, known)
    return smallest


def _shorter(capsule: Capsule, role: str, image: Image, known: list[Image]) -> Capsule:
    """The same with as little of one image as ends so."""
    assert capsule.ended is not None, "a replay has said how"
    smallest, length, fails = capsule, len(image), 0
    while length - fails > STEP:
        tried = max((fails + length) // 2 // STEP * STEP, STEP)
        found = _earliest(shortened(smallest, role, image, tried), known, capsule.ended)
        if found is None or tried >= length:
            fails = tried
        else:
            smallest, length = found, tried
    return smallest


def _earliest(capsule: Capsule, images: list[Image], ended: Settled) -> Capsule | None:
    """The same with as few and as early cuts as end so; None where none do, or there is no such update."""
    try:
        scenario = plan_of(capsule, images).scenario()
        for count in range(1, len(capsule.cuts) + 1):
            if (cuts := _first_row(scenario, capsule.seed, count, ended)) is not None:
                return replace(capsule, cuts=cuts)
    except RigError:  # an image of this length is no update for the board
        pass
    return None


def _first_row(scenario: Scenario, seed: int, count: int, ended: Settled) -> Cuts | None:
    """The earliest cuts in a row that end so, before an operation rather than in it."""
    if count == 1:
        sweep = ChunkSweep(scenario, TEARS, seed)
        answers = sweep.answers(0, sweep.update.operations + 1)  # they come in this order
        return next((((one.first, one.tear),) for one in answers if one.known.settled == ended), None)
    groups = CutsInARow(scenario, TEARS, seed, count).sweep()
    rows = (group.first_row(span) for group in groups for span in group.spans if span.settled == ended)
    return min(rows, key=_order, default=None)


def _order(cuts: Cuts) -> list[tuple[int, int]]:
    return [(k, TEARS.index(tear) + 1 if tear in TEARS else 0) for k, tear in cuts]
