"""A capsule again, on the model: the same update, the same cuts, and how the board settles after them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from rig.errors import Misuse
from rig.firmware.manifest import Image
from rig.sweep.capsule import Capsule, Cuts
from rig.sweep.cut_points import BEFORE, Flash, contents_at, tears_of
from rig.sweep.plan import SweepPlan
from rig.sweep.scenario import Scenario, Settled, Update, checked
from rig.sweep.sweep import settle_whole
from rig.twin.memory import Contents


@dataclass(frozen=True, slots=True)
class Replayed:
    """How the board settled, and the scenario that it was in."""

    scenario: Scenario
    settled: Settled


def replay(capsule: Capsule, images: Iterable[Image]) -> Replayed:
    """Do a capsule's cuts again with images among which are its own. Raises Misuse."""
    scenario = plan_of(capsule, list(images)).scenario()
    return Replayed(scenario, settle_after(scenario, capsule.cuts, capsule.seed))


def plan_of(capsule: Capsule, known: list[Image]) -> SweepPlan:
    """What a capsule's cuts are of. Raises Misuse where an image of it is not known."""
    return SweepPlan(capsule.kind, capsule.path, capsule.choices, _images_of(capsule, known), (), capsule.seed)


def settle_after(scenario: Scenario, cuts: Cuts, seed: int) -> Settled:
    """How a board settles that is started whole after cuts in a row. Raises Misuse for one that cannot be."""
    contents = _after(scenario, scenario.update, cuts[0], seed)
    for cut in cuts[1:]:
        contents = _after(scenario, recovery_from(scenario, contents), cut, seed)
    return settle_whole(scenario, contents)


def is_expected(settled: Settled, expected: str | None, told: Settled | None) -> bool:
    """Whether a board settled as somebody expects, or else as the capsule says. Raises Misuse where nobody says it."""
    if expected is None:
        if told is None:
            raise Misuse("the capsule does not say how it ended", hint="--expect OUTCOME")
        return settled == told
    became, _, rung = expected.partition("/")
    return settled.became == became and rung in ("", settled.rung)


def recovery_from(scenario: Scenario, contents: Contents) -> Update:
    """The operations that a cold start makes by itself from these contents on."""
    memory = scenario.memory()
    memory.restore(contents)
    scenario.start(memory)
    runs = tuple(memory.journal.runs)
    return checked(Update(contents, runs, ("recovery",) * len(runs)))


def _after(scenario: Scenario, update: Update, cut: tuple[int, str], seed: int) -> Contents:
    k, tear = cut
    if k > update.operations or (k == update.operations and tear != BEFORE):
        raise Misuse(f"operation {k} is beyond the {update.operations} of this update", hint="other images?")
    if tear != BEFORE and tear not in tears_of(update.runs[update.run_of(k)], [tear]):
        raise Misuse(f"operation {k} is a {update.runs[update.run_of(k)].kind}: {tear} makes no sense there")
    return contents_at(Flash(scenario.memory(), update, seed), update, k, tear)


def _images_of(capsule: Capsule, known: list[Image]) -> dict[str, Image]:
    return {role: with_hash(role, begin, known) for role, begin in capsule.images.items()}


def with_hash(role: str, told: str, known: list[Image]) -> Image:
    """The image that a capsule means by the begin of its hash. Raises Misuse where it is not known."""
    begin, _, length = told.partition("@")
    found = {image.sha256: image for image in known if image.sha256.startswith(begin)}
    if len(found) != 1:
        raise Misuse(
            f"no image that is known has the SHA-256 {begin}… that plays {role}",
            hint="--image FILE, or --manifest FILE that names the firmware that the capsule is of",
        )
    image = next(iter(found.values()))
    if not length:
        return image
    if int(length) > len(image):
        raise Misuse(f"{role}={told}: {image.name} has only {len(image):,} bytes")
    return replace(image, data=image.data[: int(length)])
