"""Where in a phase the next cut is aimed at: half of them anywhere, half near where the model's outcome changes."""

from __future__ import annotations

import random
from collections.abc import Sequence

#: How far from a change a cut is aimed that is to fall near it, as a share of the phase.
NEAR = 0.02


def draw(changes: Sequence[float], seed: int, number: int) -> float:
    """The position of cut `number` in its phase, from 0 to below 1: the same for the same seed.

    Where nothing changes in a phase, or nobody knows, every position is as likely.
    """
    rng = random.Random(f"board sweep:{seed}:{number}")
    guided, anywhere = rng.random() < 0.5, rng.random()
    if not (guided and changes):
        return anywhere
    position = rng.choice(list(changes)) + rng.uniform(-NEAR, NEAR)
    return min(max(position, 0.0), 1.0 - 1e-9)
