"""A private key that is sound, and that a Core reads wrong: made from numbers that were searched for once."""

from __future__ import annotations

import hashlib

from cryptography.hazmat.primitives.asymmetric import rsa


def _prime(seed: str) -> int:
    """The next prime p behind a number of noise, with p - 1 prime to 65537."""
    noise = b"".join(hashlib.sha256(f"{seed}/{block}".encode()).digest() for block in range(2))
    number = int.from_bytes(noise, "big") | (3 << 510) | 1
    while pow(2, number - 1, number) != 1 or pow(3, number - 1, number) != 1 or (number - 1) % 65537 == 0:
        number += 2
    return number


def misread_key() -> rsa.RSAPrivateKey:
    """A sound RSA-1024 key whose dP is a byte short: a Core reads it wrong."""
    p, q, e = _prime("p72"), _prime("q72"), 65537
    d = pow(e, -1, (p - 1) * (q - 1))
    public = rsa.RSAPublicNumbers(e, p * q)
    return rsa.RSAPrivateNumbers(p, q, d, d % (p - 1), d % (q - 1), pow(q, -1, p), public).private_key()
