"""Frames between a Spark Core and its cloud: AES-128-CBC, chained in the Core's own way, behind a length.

The initialisation vector of a frame is the first 16 bytes of the ciphertext before it in the same direction; both
directions begin with the one in the credentials (core-communication-lib's spark_protocol.cpp).
"""

from __future__ import annotations

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from rig.families.spark_core.formats.coap import Malformed

BLOCK = 16
#: Bytes: the Core has room for one message of this length, and hangs up on a longer one.
LONGEST_FROM_CORE = 640


class Sealer:
    """Encrypts what goes one way.

    One context of the library serves all frames: what makes it chain in the Core's way instead of its own is mixed
    into each frame's first block. To make a context costs more than to encrypt a frame.
    """

    def __init__(self, key: bytes, iv: bytes):
        self._encryptor = Cipher(algorithms.AES(key), modes.CBC(iv)).encryptor()
        #: The first and the last block of the frame before, mixed: what they differ by.
        self._mixed = 0

    def seal(self, plain: bytes) -> bytes:
        """A frame: length and ciphertext."""
        pad = BLOCK - len(plain) % BLOCK
        padded = plain + bytes([pad]) * pad
        sealed = self._encryptor.update(_mix(padded, self._mixed))
        self._mixed = _difference(sealed)
        return len(sealed).to_bytes(2, "big") + sealed


class Opener:
    """Decrypts what comes one way, with one context as well."""

    def __init__(self, key: bytes, iv: bytes):
        self._decryptor = Cipher(algorithms.AES(key), modes.CBC(iv)).decryptor()
        self._mixed = 0

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
        plain = _mix(self._decryptor.update(sealed), self._mixed)
        self._mixed = _difference(sealed)
        return plain


def _mix(blocks: bytes, with_first: int) -> bytes:
    return (int.from_bytes(blocks[:BLOCK], "big") ^ with_first).to_bytes(BLOCK, "big") + blocks[BLOCK:]


def _difference(sealed: bytes) -> int:
    """Of the first block and the last."""
    return int.from_bytes(sealed[:BLOCK], "big") ^ int.from_bytes(sealed[-BLOCK:], "big")
