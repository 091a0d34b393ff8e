"""Frames between a Spark Core and its cloud: AES-128-CBC, chained in the Core's own way, behind a length.

The initialisation vector of a frame is the first 16 bytes of the ciphertext before it in the same direction; both
directions begin with the one in the credentials (reference/spark-core.md §6.2).
"""

from __future__ import annotations

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from rig.formats.spark_coap import Malformed

BLOCK = 16
#: The Core's buffer, and what a server may send: the Core writes its answer behind the message.
LONGEST_FROM_CORE, LONGEST_TO_CORE = 640, 608


class Sealer:
    """Encrypts what goes one way."""

    def __init__(self, key: bytes, iv: bytes):
        self._key, self._iv = algorithms.AES(key), iv

    def seal(self, plain: bytes) -> bytes:
        """A frame: length and ciphertext."""
        pad = BLOCK - len(plain) % BLOCK
        encryptor = Cipher(self._key, modes.CBC(self._iv)).encryptor()
        sealed = encryptor.update(plain + bytes([pad]) * pad)
        self._iv = sealed[:BLOCK]
        return len(sealed).to_bytes(2, "big") + sealed


class Opener:
    """Decrypts what comes one way."""

    def __init__(self, key: bytes, iv: bytes):
        self._key, self._iv = algorithms.AES(key), iv

    def open(self, sealed: bytes) -> bytes:
        """The plaintext of a ciphertext. Raises Malformed when it is none for this key."""
        if not sealed or len(sealed) % BLOCK:
            raise Malformed(f"a ciphertext of {len(sealed)} bytes")
        plain = self.decipher(sealed)
        pad = plain[-1]
        if not 1 <= pad <= BLOCK or plain[-pad:] != bytes([pad]) * pad:
            raise Malformed("padding that is none: another key, or a frame lost or changed on the way")
        return plain[:-pad]

    def decipher(self, sealed: bytes) -> bytes:
        """What whole blocks of ciphertext give, padding and all, for whoever does not look at that."""
        plain = Cipher(self._key, modes.CBC(self._iv)).decryptor().update(sealed)
        self._iv = sealed[:BLOCK]
        return plain
