"""Signed ESP32 images, by espsecure, and those whose signature somebody should refuse, by name.

Keys are made when they are needed and are never kept in the project (esptool's espsecure). What a running
application makes of a signature is in rig.families.esp32.formats.signature.
"""

from __future__ import annotations

import contextlib
import io
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from rig.errors import Misuse
from rig.families.esp32.formats.signature import BLOCK_SIZE, SECTOR, padded

_MOST_KEYS = 3
_RSA_BITS = 3072
_FLIPPED_AT = 0x200
#: So much of the signature sector is left: half of its first block.
_LEFT_OF_SECTOR = BLOCK_SIZE // 2


def make_key() -> bytes:
    """A new RSA-3072 key for scheme V2, PEM."""
    from cryptography.hazmat.primitives.asymmetric import rsa

    return _pem(rsa.generate_private_key(public_exponent=65537, key_size=_RSA_BITS))


def make_key_v1() -> bytes:
    """A new P-256 key for scheme V1, PEM."""
    from cryptography.hazmat.primitives.asymmetric import ec

    return _pem(ec.generate_private_key(ec.SECP256R1()))


def public_key(key: bytes) -> bytes:
    """The public half of a key, PEM. Raises Misuse for what is no key."""
    from cryptography.hazmat.primitives import serialization

    try:
        private = serialization.load_pem_private_key(key, None)
    except ValueError as error:
        raise Misuse(f"not a private key in PEM: {error}") from error
    encoding, form = serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    return private.public_key().public_bytes(encoding, form)


def sign(image: bytes, *keys: bytes) -> bytes:
    """`image` padded to 4 KiB, with a sector of one block per key, in order. Raises Misuse for none or too many."""
    import espsecure

    if not 1 <= len(keys) <= _MOST_KEYS:
        raise Misuse(f"an image is signed with one to {_MOST_KEYS} keys, not {len(keys)}")
    contents = image.ljust(padded(len(image)), b"\xff")
    blocks: bytes = espsecure.generate_signature_block_using_private_key([io.BytesIO(key) for key in keys], contents)
    return contents + blocks.ljust(SECTOR, b"\xff")


def sign_v1(image: bytes, key: bytes) -> bytes:
    """`image` with the 68 bytes of scheme V1 behind it."""
    import espsecure

    with tempfile.TemporaryDirectory() as folder:
        plain, signed = Path(folder, "plain.bin"), Path(folder, "signed.bin")
        plain.write_bytes(image)
        with plain.open("rb") as source, contextlib.redirect_stdout(io.StringIO()):
            espsecure.sign_secure_boot_v1([io.BytesIO(key)], str(signed), False, [], [], source)
        return signed.read_bytes()


@dataclass(frozen=True, slots=True)
class Keys:
    """The key a board trusts, and others."""

    trusted: bytes = field(repr=False)
    stranger: bytes = field(repr=False)
    v1: bytes = field(repr=False)

    @classmethod
    def make(cls) -> Keys:
        """New ones."""
        return cls(make_key(), make_key(), make_key_v1())


def _flipped(signed: bytes) -> bytes:
    """The same bit of two bytes, so that checksums do not see it and only hashes do."""
    first, second = (bytes([byte ^ 0x10]) for byte in signed[_FLIPPED_AT : _FLIPPED_AT + 2])
    return signed[:_FLIPPED_AT] + first + second + signed[_FLIPPED_AT + 2 :]


_Variant = Callable[[bytes, Keys], bytes]
SIGNED_VARIANTS: dict[str, _Variant] = {
    "signed": lambda image, keys: sign(image, keys.trusted),
    "unsigned": lambda image, _keys: image,
    "wrong-key": lambda image, keys: sign(image, keys.stranger),
    "flipped-after-signing": lambda image, keys: _flipped(sign(image, keys.trusted)),
    "right-key-second": lambda image, keys: sign(image, keys.stranger, keys.trusted),
    "truncated-signature": lambda image, keys: sign(image, keys.trusted)[: padded(len(image)) + _LEFT_OF_SECTOR],
    "signed-v1": lambda image, keys: sign_v1(image, keys.v1),
}


def sign_variant(image: bytes, name: str, keys: Keys) -> bytes:
    """`image` signed as the variant called `name`. Raises Misuse for an unknown one."""
    if name not in SIGNED_VARIANTS:
        raise Misuse(f"no signed variant is called {name!r}", hint=f"one of {', '.join(SIGNED_VARIANTS)}")
    return SIGNED_VARIANTS[name](image, keys)


def _pem(key: object) -> bytes:
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec, rsa

    assert isinstance(key, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey)
    form = serialization.PrivateFormat.TraditionalOpenSSL
    return key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption())
