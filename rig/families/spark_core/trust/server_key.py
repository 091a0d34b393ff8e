"""The key pair of a Spark cloud: RSA-2048, whose public half lies in every Core's flash."""

from __future__ import annotations

import random
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from rig.errors import Misuse
from rig.families.spark_core.trust.core_key import EXPONENT, SERVER_BITS
from rig.files import MOST_PEM, read_user_file
from rig.trust.keys import make_key, write_private


def make_server_key(seed: int | None = None) -> rsa.RSAPrivateKey:
    """A new pair; with a seed the same again."""
    key = make_key("rsa-2048", random.Random(f"Spark server {seed}") if seed is not None else None)
    assert isinstance(key, rsa.RSAPrivateKey)
    return key


def public_der(key: rsa.RSAPrivateKey) -> bytes:
    """The 294 bytes that go into a Core's flash."""
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    return key.public_key().public_bytes(serialization.Encoding.DER, form)


def load_server_key(path: Path) -> rsa.RSAPrivateKey:
    """Read a private key from a file, PEM or DER. Raises Misuse."""
    return parse_server_key(read_user_file(path, MOST_PEM), str(path))


def parse_server_key(content: bytes, source: str) -> rsa.RSAPrivateKey:
    """A private key from PEM or DER; `source` is where it is from. Raises Misuse."""
    load = (
        serialization.load_pem_private_key if content.lstrip()[:5] == b"-----" else serialization.load_der_private_key
    )
    try:
        key = load(content, None)
    except (ValueError, TypeError) as error:
        raise Misuse(f"{source} holds no private key without a password", hint="PEM or DER, RSA-2048") from error
    if (
        not isinstance(key, rsa.RSAPrivateKey)
        or key.key_size != SERVER_BITS
        or key.public_key().public_numbers().e != EXPONENT
    ):
        raise Misuse(f"{source}: a Core takes RSA-{SERVER_BITS} with exponent {EXPONENT} only")
    return key


def store_server_key(path: Path, key: rsa.RSAPrivateKey) -> None:
    """Write a private key as PEM that nobody else can read."""
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
    )
    write_private(path, pem)
