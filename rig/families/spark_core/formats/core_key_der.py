"""A Core's private key as the Core reads it: PKCS#1 DER by fixed distances, without a look at types or lengths.

The reader skips headers of a fixed size and takes an odd length byte for one extra zero in front. It is right when
every integer has its full width, and reads the wrong bytes otherwise (core-communication-lib's handshake.cpp).
"""

from __future__ import annotations

from dataclasses import dataclass

BITS = 1024
#: The longest key that is read from flash.
LONGEST = 612
_SEQUENCE_AND_VERSION = 7
_EXPONENT = 5
_LONG_HEADER, _SHORT_HEADER = 3, 2
_PUBLIC_PREFIX = bytes.fromhex("30819f300d06092a864886f70d010101050003818d0030818902818100")
_PUBLIC_SUFFIX = bytes.fromhex("0203010001")


@dataclass(frozen=True, slots=True)
class CoreKeyNumbers:
    """What the Core takes for the numbers of its key, big-endian."""

    n: bytes
    d: bytes
    p: bytes
    q: bytes
    dp: bytes
    dq: bytes
    qinv: bytes

    @property
    def public_der(self) -> bytes:
        """SubjectPublicKeyInfo, 162 bytes, as 0.4 introduces itself with."""
        return _PUBLIC_PREFIX + self.n + _PUBLIC_SUFFIX

    def decrypt(self, sealed: bytes) -> bytes | None:
        """PKCS#1 v1.5 decryption with nothing checked beforehand; None where the padding is wrong."""
        p, q, dp, dq, qinv, c = (
            int.from_bytes(part, "big") for part in (self.p, self.q, self.dp, self.dq, self.qinv, sealed)
        )
        if p < 2 or q < 2:
            return None
        m1, m2 = pow(c, dp, p), pow(c, dq, q)
        message = m2 + (m1 - m2) * qinv % p * q
        plain = (message % (1 << BITS)).to_bytes(BITS // 8, "big")
        end = plain.find(b"\0", 2)
        return plain[end + 1 :] if plain[:2] == b"\0\2" and end >= 10 else None


def read_core_key(flash: bytes) -> CoreKeyNumbers:
    """Read what lies in flash, whatever it is."""
    der = flash[:LONGEST].ljust(LONGEST + 128, b"\xff")
    at = _SEQUENCE_AND_VERSION
    n, at = _integer(der, at, _LONG_HEADER, BITS // 8)
    numbers = [n]
    at += _EXPONENT
    for header, size in ((_LONG_HEADER, BITS // 8), *((_SHORT_HEADER, BITS // 16),) * 5):
        number, at = _integer(der, at, header, size)
        numbers.append(number)
    return CoreKeyNumbers(*numbers)


def _integer(der: bytes, at: int, header: int, size: int) -> tuple[bytes, int]:
    """The bytes taken for an integer, and where the next one is thought to begin."""
    at += header + (der[at + header - 1] & 1)
    return der[at : at + size], at + size
