"""What a flash operation leaves behind when power goes away inside it, by name and seeded.

Named after what is seen on real NOR (design: "Flash of a twin"): a program clears some of its bits, an erase first
drives cells to zero and then lets them rise, page by page unevenly.
"""

from __future__ import annotations

import random
from collections.abc import Callable

from rig.errors import Misuse
from rig.twin.flash import Tear

_Rule = Callable[[random.Random, bytes, bytes], bytes]


def _none(_rng: random.Random, old: bytes, _new: bytes) -> bytes:
    return old


def _prefix(rng: random.Random, old: bytes, new: bytes) -> bytes:
    done = rng.randrange(1, len(new)) if len(new) > 1 else 0
    return new[:done] + old[done:]


def _random_subset(rng: random.Random, old: bytes, new: bytes) -> bytes:
    return bytes(n | (o & ~n & rng.getrandbits(8)) for o, n in zip(old, new, strict=True))


def _half_erased(rng: random.Random, old: bytes, _new: bytes) -> bytes:
    noise = rng.randbytes(len(old))
    return (int.from_bytes(old, "little") | int.from_bytes(noise, "little")).to_bytes(len(old), "little")


def _all_zero(_rng: random.Random, old: bytes, _new: bytes) -> bytes:
    return bytes(len(old))


_RULES: dict[str, _Rule] = {
    "none": _none,
    "prefix": _prefix,
    "random-subset": _random_subset,
    "half-erased": _half_erased,
    "all-zero": _all_zero,
}

_INERT_SHARE = 0.1
#: Tears that make sense in a program and in an erase.
PROGRAM_TEARS = ("none", "prefix", "random-subset")
ERASE_TEARS = ("none", "prefix", "half-erased", "all-zero")
#: Begins of kinds of operations on what is no flash: too short to be half done, or half done they are one of their own.
WHOLE = ("register", "eeprom")


def sensible_tears(kind: str) -> tuple[str, ...]:
    """Tears that make sense in an operation of a kind."""
    if kind.startswith(WHOLE):
        return ("none",)
    return ERASE_TEARS if kind.endswith("erase") else PROGRAM_TEARS


def named_tear(name: str, seed: int | str = 0) -> Tear:
    """The tear called `name`, reproducible for `seed`. Raises Misuse for an unknown name."""
    if name not in _RULES:
        raise Misuse(f"no tear is called {name!r}", hint=f"one of {', '.join(_RULES)}")
    rule = _RULES[name]

    def tear(_kind: str, old: bytes, new: bytes) -> bytes:
        return rule(random.Random(f"{name}:{seed}"), old, new)

    return tear


def tear_at(rng: random.Random, share: float) -> Tear:
    """A tear drawn to fit an operation of which `share` (0 to 1) was done when the supply went away.

    Cells do not move at once: below a tenth nothing has happened yet.
    """

    def tear(kind: str, old: bytes, new: bytes) -> bytes:
        names = sensible_tears(kind)
        name = "none" if share < _INERT_SHARE else rng.choice(names[1:])
        return _RULES[name](rng, old, new)

    return tear
