"""The key pairs of a Core: its own RSA-1024 pair, and the public half of its server's RSA-2048 pair.

A Core reads DER blindly: where an integer is too short it reads the wrong bytes (reference §7.1).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from rig.errors import Misuse
from rig.families.spark_core.formats.core_key_der import read_core_key
from rig.families.spark_core.formats.keys import KEY_SIZE
from rig.files import MOST_PEM, read_user_file

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
            return core_key_of(key)


def core_key_of(key: rsa.RSAPrivateKey) -> CoreKey:
    """A pair in the forms that Core and server keep it in."""
    return CoreKey(_private_der(key), _pem(key))


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
    """Whether a Core reads the numbers of this key that are in it, and not some bytes beside them."""
    as_read, numbers = read_core_key(_private_der(key)), key.private_numbers()
    wanted = (numbers.public_numbers.n, numbers.d, numbers.p, numbers.q, numbers.dmp1, numbers.dmq1, numbers.iqmp)
    read = (as_read.n, as_read.d, as_read.p, as_read.q, as_read.dp, as_read.dq, as_read.qinv)
    return all(int.from_bytes(field, "big") == number for field, number in zip(read, wanted, strict=True))


def _private_der(key: rsa.RSAPrivateKey) -> bytes:
    form = serialization.PrivateFormat.TraditionalOpenSSL
    return key.private_bytes(serialization.Encoding.DER, form, serialization.NoEncryption())


def read_server_key(path: Path) -> bytes:
    """The 294 bytes a Core wants of its server's public key, from a PEM or DER file. Raises Misuse."""
    content = read_user_file(path, MOST_PEM)
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
