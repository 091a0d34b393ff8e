"""The handshake of a Spark Core and its cloud, both sides' arithmetic (core-communication-lib's handshake.cpp).

The server proves itself by a bare RSA signature (PKCS#1 type 1 without DigestInfo) over an HMAC of what it sends; the
Core proves itself by being able to decrypt that.
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import NoDigestInfo

from rig.families.spark_core.formats.cipher import Opener, Sealer

NONCE_SIZE, CORE_ID_SIZE, CREDENTIALS_SIZE = 40, 12, 40
BLOCK_SIZE, SEALED_SIZE, SIGNATURE_SIZE = 256, 128, 256
ANSWER_SIZE = SEALED_SIZE + SIGNATURE_SIZE


@dataclass(frozen=True, slots=True)
class Introduction:
    """What a Core says of itself: its id, and from 0.4 on its public key (DER)."""

    nonce: bytes
    core_id: bytes
    public_key: bytes


@dataclass(frozen=True, slots=True)
class Credentials:
    """40 bytes that both sides share: AES key, initialisation vector, salt."""

    raw: bytes

    def sealer(self) -> Sealer:
        """For what this side sends."""
        return Sealer(self.raw[:16], self.raw[16:32])

    def opener(self) -> Opener:
        """For what this side receives."""
        return Opener(self.raw[:16], self.raw[16:32])

    @property
    def salt(self) -> bytes:
        """Eight bytes: the first two are the Core's first message id."""
        return self.raw[32:]


def introduce(server_key: rsa.RSAPublicKey, nonce: bytes, core_id: bytes, public_key: bytes = b"") -> bytes:
    """The Core's block: 256 bytes."""
    return server_key.encrypt(nonce + core_id + public_key, padding.PKCS1v15())


def read_introduction(server_key: rsa.RSAPrivateKey, block: bytes) -> Introduction | None:
    """What a block says; None when it was made for another key. A wrong key may give noise: compare the nonce."""
    try:
        plain = server_key.decrypt(block, padding.PKCS1v15())
    except ValueError:
        return None
    if len(plain) < NONCE_SIZE + CORE_ID_SIZE:
        return None
    end = NONCE_SIZE + CORE_ID_SIZE
    return Introduction(plain[:NONCE_SIZE], plain[NONCE_SIZE:end], plain[end:])


def answer(server_key: rsa.RSAPrivateKey, core_key: rsa.RSAPublicKey, credentials: Credentials) -> bytes:
    """The server's 384 bytes: credentials for the Core, and the signature over them."""
    sealed = core_key.encrypt(credentials.raw, padding.PKCS1v15())
    return sealed + server_key.sign(digest(credentials, sealed), padding.PKCS1v15(), NoDigestInfo())


def digest(credentials: Credentials, sealed: bytes) -> bytes:
    """What is signed: 20 bytes."""
    return hmac.new(credentials.raw, sealed, hashlib.sha1).digest()


def is_signed(server_key: rsa.RSAPublicKey, credentials: Credentials, reply: bytes) -> bool:
    """Whether the server's signature is right."""
    sealed, signature = reply[:SEALED_SIZE], reply[SEALED_SIZE:]
    try:
        signed = server_key.recover_data_from_signature(signature, padding.PKCS1v15(), None)
    except InvalidSignature:
        return False
    return signed == digest(credentials, sealed)
