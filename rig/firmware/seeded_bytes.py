"""Bytes that look random, which a seed always makes again."""

from __future__ import annotations

import hashlib


def seeded_bytes(seed: str, length: int) -> bytes:
    """The first `length` bytes of SHA-256(seed ‖ LE32(0)) ‖ SHA-256(seed ‖ LE32(1)) ‖ …."""
    blocks = (hashlib.sha256(seed.encode() + at.to_bytes(4, "little")).digest() for at in range(-(-length // 32)))
    return b"".join(blocks)[:length]
