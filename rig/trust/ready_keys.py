"""RSA keys that are there at once, and the same every time: for models, which make many, and never for a product.

A prime is a stretch of noise whose seed is a number. Looking for seeds takes a second each; the table below has those
that were found.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from functools import cache
from itertools import count

from cryptography.hazmat.primitives.asymmetric import rsa

from rig.errors import Misuse
from rig.trust.keys import EXPONENT, KeyKind, PrivateKey, make_key

#: Bits of the kinds of key that are ready.
RSA_BITS: Mapping[str | None, int] = {"rsa-1024": 1024, "rsa-2048": 2048, "rsa-4096": 4096}

#: Seeds of primes, by their bits; two of them make a key.
SEEDS: Mapping[int, tuple[int, ...]] = {
    512: (829, 891, 1221, 1336, 1792, 1832, 1870, 2026),
    1024: (
        243, 703, 735, 856, 1131, 1319, 1625, 1942, 2241, 2579, 2752, 3011, 3210, 4732, 4941, 5343, 5566, 5582,
        5609, 6650, 8832, 9059, 9115, 9509, 9543, 9628, 9801, 9980, 10098, 10124, 10181, 10332, 10429, 11255,
        11823, 12139, 13224, 13410, 13936, 14129, 15428, 15819, 16211, 16358, 16833, 17255, 17284, 17293, 17756,
        18346, 18483, 18793, 18910, 19020, 19339, 19562, 20089, 20176, 20745, 21073, 21338, 21385, 21540, 21542,
    ),
    2048: (394, 499),
}  # fmt: skip


@cache
def ready_key(bits: int, number: int) -> rsa.RSAPrivateKey:
    """Key `number`, from 0, of so many bits. Raises Misuse where there are not so many."""
    seeds = SEEDS.get(bits // 2, ())[2 * number : 2 * number + 2]
    if len(seeds) < 2:
        raise Misuse(f"there is no ready RSA key {number} of {bits} bits")
    p, q = (candidate(bits // 2, seed) for seed in seeds)
    d = pow(EXPONENT, -1, (p - 1) * (q - 1))
    public = rsa.RSAPublicNumbers(EXPONENT, p * q)
    numbers = rsa.RSAPrivateNumbers(p, q, d, d % (p - 1), d % (q - 1), pow(q, -1, p), public)
    return numbers.private_key(unsafe_skip_rsa_key_validation=True)  # a test has looked at all


def ready_keys(bits: int) -> int:
    """How many there are of so many bits."""
    return len(SEEDS.get(bits // 2, ())) // 2


def leaf_keys(after: int) -> Callable[[KeyKind], PrivateKey]:
    """Hands out keys of servers: of RSA the ready ones, in turn, without the first `after` where there are more."""
    turns = count()

    def key(kind: KeyKind) -> PrivateKey:
        if kind not in RSA_BITS:
            return make_key(kind)
        there_are = ready_keys(RSA_BITS[kind])
        first = after if there_are > after else 0
        return ready_key(RSA_BITS[kind], first + next(turns) % (there_are - first))

    return key


def candidate(bits: int, seed: int) -> int:
    """What may be a prime: noise with its two topmost bits set, so that a product of two has twice as many bits."""
    noise = hashlib.shake_256(f"rig prime {bits} {seed}".encode()).digest(bits // 8)
    return int.from_bytes(noise, "big") | (0b11 << (bits - 2)) | 1
