"""A capsule of a swap again, on the model: the same scenario with the same firmware, and what comes of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from rig.campaign.swap import ScenarioResult, play
from rig.campaign.swap_capsule import SwapCapsule, words_of
from rig.campaign.swaps import swaps_of
from rig.errors import Misuse
from rig.firmware.manifest import Image
from rig.sweep.replay import with_hash
from rig.trust.expectation import Reach


def replay_swap(capsule: SwapCapsule, images: Iterable[Image]) -> ScenarioResult:
    """Play it with images among which are its own. Raises Misuse."""
    swaps, known = swaps_of(capsule.kind), list(images)
    found = {role: with_hash(role, begin, known) for role, begin in capsule.images.items()}
    return play(capsule.scenario, swaps.setup(capsule.choices, found, capsule.at))


def is_expected(result: ScenarioResult, expected: str | None, told: Mapping[str, str] | None) -> bool:
    """Whether it came as somebody expects of the time after the swap, or else in every word as the capsule says.

    Expected is `dark`, or `dark (unknown_ca)`. Raises Misuse where nobody says anything.
    """
    if expected is None:
        if told is None:
            raise Misuse("the capsule does not say how it ended", hint=f"--expect {'|'.join(Reach)}")
        return words_of(result) == told
    if expected.partition(" ")[0] not in set(Reach):
        raise Misuse(f"{expected!r} does not come of a swap", hint=f"{', '.join(Reach)}, perhaps (ALERT)")
    return expected in (result.after.reach, str(result.after))


def story(result: ScenarioResult) -> Iterator[str]:
    """What was shown, what servers saw, and what became of the board, line by line."""
    whens = {"before": (result.before, result.check_ins[0]), "after": (result.after, result.check_ins[1])}
    for when, (reached, check_ins) in whens.items():
        yield f"{when} the swap:"
        for host, shown in result.identities[when].items():
            yield f"  {host} shows sha256 {shown}"
        yield f"  {reached}"
        yield from (f"  {version} checks in, and is answered {status}" for version, status in check_ins)
    if result.arrived is not None:
        yield f"the image that was on its way {'arrived' if result.arrived else 'did not arrive'}"
    yield f"what ran before {'runs on' if result.runs_on else 'does not run on'}"
    how = f", by {result.route}" if result.route else ""
    yield f"an update {'reaches' if result.updated else 'does not reach'} it in the end{how}"
