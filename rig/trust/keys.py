"""Private keys of authorities and servers: made, seeded or not, read, and written for their owner only."""

from __future__ import annotations

import os
import random
from pathlib import Path
from typing import Literal, get_args

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from rig.errors import Misuse
from rig.files import MOST_PEM, read_user_file

KeyKind = Literal["rsa-1024", "rsa-2048", "rsa-3072", "rsa-4096", "p256", "p384"]
PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey
EXPONENT = 65537
_CURVES: dict[str, type[ec.EllipticCurve]] = {"p256": ec.SECP256R1, "p384": ec.SECP384R1}
_ORDERS = {
    "p256": 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551,
    "p384": 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFC7634D81F4372DDF581A0DB248B0A77AECEC196ACCC52973,
}
#: What candidates for primes are divided by first, and how often they are tested then (Miller and Rabin): an error of
#: 4**-ROUNDS at most, and far less for numbers as large as these.
_SMALL_PRIMES = [n for n in range(3, 2000, 2) if all(n % d for d in range(3, int(n**0.5) + 1, 2))]
ROUNDS = 24


def make_key(kind: KeyKind, noise: random.Random | None = None) -> PrivateKey:
    """A new key; with `noise` the same for the same state of it. Raises Misuse for a kind that is not made here."""
    if kind not in get_args(KeyKind):
        raise Misuse(f"no key is of kind {kind!r}", hint=f"one of {', '.join(get_args(KeyKind))}")
    if kind in _CURVES:
        curve = _CURVES[kind]()
        if noise is None:
            return ec.generate_private_key(curve)
        return ec.derive_private_key(noise.randrange(1, _ORDERS[kind]), curve)
    bits = int(kind.removeprefix("rsa-"))
    return rsa.generate_private_key(EXPONENT, bits) if noise is None else _seeded_rsa(bits, noise)


def load_key(path: Path) -> PrivateKey:
    """Read a key from a PEM file. Raises Misuse."""
    return parse_key(read_user_file(path, MOST_PEM), str(path))


def parse_key(content: bytes, source: str) -> PrivateKey:
    """A key from PEM; `source` is where it is from. Raises Misuse."""
    try:
        key = serialization.load_pem_private_key(content, None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise Misuse(f"{source} holds no private key without a password", hint="PEM") from error
    if not isinstance(key, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey):
        raise Misuse(f"{source}: a server's key is RSA or ECDSA here")
    return key


def key_pem(key: PrivateKey) -> bytes:
    """A key as PEM, PKCS 8 without a password."""
    form = serialization.PrivateFormat.PKCS8
    return key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption())


def write_private(path: Path, content: bytes) -> None:
    """Write a file that only its owner can read, whatever was there. Raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(content)


def _seeded_rsa(bits: int, noise: random.Random) -> rsa.RSAPrivateKey:
    """The library takes no seed for RSA, so these are made of primes of our own: for tests, never for a product."""
    while True:
        p, q = _prime(bits // 2, noise), _prime(bits // 2, noise)
        if p != q:
            break
    public = rsa.RSAPublicNumbers(EXPONENT, p * q)
    d = pow(EXPONENT, -1, (p - 1) * (q - 1))
    numbers = rsa.RSAPrivateNumbers(p, q, d, d % (p - 1), d % (q - 1), pow(q, -1, p), public)
    return numbers.private_key()


def _prime(bits: int, noise: random.Random) -> int:
    """A prime with its two topmost bits set, so that a product of two has twice as many bits."""
    while True:
        number = noise.getrandbits(bits) | (0b11 << (bits - 2)) | 1
        if number % EXPONENT != 1 and all(number % prime for prime in _SMALL_PRIMES) and _is_prime(number, noise):
            return number


def _is_prime(number: int, noise: random.Random) -> bool:
    odd, twos = number - 1, 0
    while odd % 2 == 0:
        odd, twos = odd // 2, twos + 1
    return all(_passes(number, odd, twos, noise.randrange(2, number - 1)) for _ in range(ROUNDS))


def _passes(number: int, odd: int, twos: int, base: int) -> bool:
    power = pow(base, odd, number)
    if power in (1, number - 1):
        return True
    for _ in range(twos - 1):
        power = power * power % number
        if power == number - 1:
            return True
    return False
