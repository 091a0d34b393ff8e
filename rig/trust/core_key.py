"""The key pairs of a Core: its own RSA-1024 pair, and the public half of its server's RSA-2048 pair.

A Core reads DER blindly: every integer must have its full width, or it reads the wrong bytes (reference §7.1).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from rig.errors import Misuse
from rig.formats.spark_keys import KEY_SIZE

EXPONENT = 65537
CORE_BITS, SERVER_BITS = 1024, 2048


@dataclass(frozen=True, slots=True)
class CoreKey:
    """A Core's own pair: what goes into its flash (PKCS#1 DER), and what its server keeps (PEM)."""

    private_der: bytes
    public_pem: str


def make_core_key() -> CoreKey:
    """A new pair that a Core reads right; about one in a hundred is thrown away."""
    while True:
        key = rsa.generate_private_key(EXPONENT, CORE_BITS)
        if reads_right(key):
            return CoreKey(
                key.private_bytes(
                    serialization.Encoding.DER,
                    serialization.PrivateFormat.TraditionalOpenSSL,
                    serialization.NoEncryption(),
                ),
                _pem(key),
            )


def core_public_key(sector: bytes) -> str | None:
    """The PEM of the public half of the key a Core holds; None where it holds none that it would read right."""
    if sector[:2] != b"\x30\x82":
        return None
    try:
        key = serialization.load_der_private_key(sector[: 4 + int.from_bytes(sector[2:4], "big")], None)
    except (ValueError, TypeError):
        return None
    if not isinstance(key, rsa.RSAPrivateKey) or key.key_size != CORE_BITS or not reads_right(key):
        return None
    return _pem(key)


def _pem(key: rsa.RSAPrivateKey) -> str:
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    return key.public_key().public_bytes(serialization.Encoding.PEM, form).decode()


def reads_right(key: rsa.RSAPrivateKey) -> bool:
    """Whether every integer of the key has its full width."""
    numbers = key.private_numbers()
    half = (numbers.p, numbers.q, numbers.dmp1, numbers.dmq1, numbers.iqmp)
    return _width(numbers.d) >= CORE_BITS // 8 and all(_width(number) >= CORE_BITS // 16 for number in half)


def _width(number: int) -> int:
    return (number.bit_length() + 7) // 8


def read_server_key(path: Path) -> bytes:
    """The 294 bytes a Core wants of its server's public key, from a PEM or DER file. Raises Misuse."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise Misuse(f"cannot read {path}: {error.strerror}") from error
    load = (
        serialization.load_pem_public_key
        if content.lstrip().startswith(b"-----")
        else serialization.load_der_public_key
    )
    try:
        key = load(content[:KEY_SIZE] if load is serialization.load_der_public_key else content)
    except ValueError as error:
        raise Misuse(f"{path} holds no public key", hint="PEM or DER, without the private half") from error
    if not isinstance(key, rsa.RSAPublicKey) or key.key_size != SERVER_BITS or key.public_numbers().e != EXPONENT:
        raise Misuse(f"{path}: a Core takes RSA-{SERVER_BITS} with exponent {EXPONENT} only")
    return key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
