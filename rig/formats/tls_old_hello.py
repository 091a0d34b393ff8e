"""ClientHellos up to TLS 1.2 as servers of 2012 to 2014 take them, with the heartbeat extension.

One offers all that OpenSSL 1.0.1 could be built with, so that whoever takes a single odd suite answers it. Some servers
take no long hello, some none of a version they do not know: for them there are others, each on a connection of its own.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from rig.formats.tls_records import CLIENT_HELLO, HANDSHAKE, HOST_NAME, SERVER_NAME

SSL_3, TLS_1_0, TLS_1_1, TLS_1_2 = 0x0300, 0x0301, 0x0302, 0x0303
HEARTBEAT_EXTENSION = 15
PEER_ALLOWED_TO_SEND = 1
_GROUPS, _POINT_FORMATS, _SIGNATURES, _PADDING, _RENEGOTIATION = 10, 11, 13, 21, 0xFF01
#: Load balancers of the time hang at a hello of 256 to 511 bytes, and take one that is longer (RFC 7685).
PADDED = 512

#: Key exchange by RSA itself: AES with SHA-1 and SHA-256, in GCM and CCM; Camellia, SEED, 3DES, IDEA, RC4, ARIA.
RSA = (
    *(0x002F, 0x0035, 0x003C, 0x003D, 0x009C, 0x009D, 0xC09C, 0xC09D, 0xC0A0, 0xC0A1, 0x0041, 0x0084, 0x00BA, 0x00C0),
    *(0x0096, 0x000A, 0x0007, 0x0005, 0x0004, 0xC07A, 0xC07B, 0xC050, 0xC051),
)
#: ECDHE under an ECDSA key, then under an RSA key: GCM, CBC with SHA-384, SHA-256 and SHA-1, CCM, Camellia, 3DES, RC4.
ECDHE = (
    *(0xC02B, 0xC02C, 0xC023, 0xC024, 0xC009, 0xC00A, 0xC008, 0xC007, 0xC0AC, 0xC0AD, 0xC0AE, 0xC0AF, 0xC072, 0xC073),
    *(0xC02F, 0xC030, 0xC027, 0xC028, 0xC013, 0xC014, 0xC012, 0xC011, 0xC076, 0xC077, 0xCCA8, 0xCCA9, 0xC086, 0xC087),
    *(0xC08A, 0xC08B, 0xC05C, 0xC05D, 0xC060, 0xC061),
)
#: DHE under an RSA key, then under a DSA key: the same; and ChaCha.
DHE = (
    *(0x009E, 0x009F, 0x0067, 0x006B, 0x0033, 0x0039, 0x0045, 0x0088, 0x00BE, 0x00C4, 0x009A, 0x0016, 0xC09E, 0xC09F),
    *(0xC0A2, 0xC0A3, 0xCCAA, 0xC07C, 0xC07D, 0xC052, 0xC053),
    *(0x00A2, 0x00A3, 0x0040, 0x006A, 0x0032, 0x0038, 0x0044, 0x0087, 0x00BD, 0x00C3, 0x0099, 0x0013, 0x0066, 0xC056),
    *(0xC057, 0xC080, 0xC081),
)
#: What few ever took: ECDH and DH of fixed keys, nobody's key, shared keys, DES, keys for export, and no cipher at all.
ODD = (
    *(0xC02D, 0xC02E, 0xC025, 0xC026, 0xC004, 0xC005, 0xC003, 0xC002, 0xC031, 0xC032, 0xC029, 0xC02A, 0xC00E, 0xC00F),
    *(0xC00D, 0xC00C, 0x00A0, 0x00A1, 0x00A4, 0x00A5, 0x0031, 0x0037, 0x003F, 0x0069, 0x0030, 0x0036, 0x003E, 0x0068),
    *(0x0010, 0x000D, 0x000F, 0x000C, 0x0098, 0x0097, 0x0043, 0x0086, 0x0042, 0x0085),
    *(0x00A6, 0x00A7, 0x006C, 0x006D, 0x0034, 0x003A, 0x0046, 0x0089, 0x009B, 0x001B, 0x0018, 0xC018, 0xC019, 0xC017),
    *(0xC016, 0x00BF, 0x00C5, 0xC015),
    *(0x008B, 0x008C, 0x008D, 0x008A, 0x00A8, 0x00A9, 0x00AE, 0x00AF, 0x008F, 0x0090, 0x0091, 0x008E, 0x0093, 0x0094),
    *(0x0095, 0x0092, 0xC034, 0xC035, 0xC036, 0xC033, 0xC037, 0xC038, 0x00B2, 0x00B3, 0x00B6, 0x00B7, 0x00AA, 0x00AB),
    *(0x00AC, 0x00AD),
    *(0x0009, 0x0015, 0x0012, 0x001A, 0x0008, 0x0006, 0x0003, 0x0014, 0x0011, 0x0019, 0x0017, 0x0062, 0x0064),
    *(0xC006, 0xC010, 0xC00B, 0xC001, 0x003B, 0x0002, 0x0001),
)
#: Every group that had a number by then, those of today first.
GROUPS = (29, 23, 24, 25, 30, *range(1, 23), 26, 27, 28)
#: RSA, PSS, ECDSA and DSA, with SHA-256, 384, 512, 224, 1 and MD5.
SIGNATURES = (
    *(0x0403, 0x0503, 0x0603, 0x0804, 0x0805, 0x0806, 0x0401, 0x0501, 0x0601, 0x0303, 0x0301, 0x0203, 0x0201),
    *(0x0402, 0x0502, 0x0602, 0x0302, 0x0202, 0x0807, 0x0101),
)


@dataclass(frozen=True, slots=True)
class Hello:
    """What one hello offers: a version and all before it, suites; without `groups` a server may choose any."""

    version: int
    suites: Sequence[int]
    groups: Sequence[int] = ()
    signatures: Sequence[int] = ()
    #: At least so many bytes, where it is not shorter than those that some servers choke on anyway.
    padded: int = 0

    def record(self, name: str | None, random: bytes) -> bytes:
        """As it is sent, with SNI where there is a name; `random` are 32 bytes."""
        message = self._message(name, random, b"")
        if (missing := self.padded - len(message)) > 0:
            message = self._message(name, random, _extension(_PADDING, bytes(max(missing - 4, 0))))
        first = min(self.version, TLS_1_0)
        return record(HANDSHAKE, first, message)

    def _message(self, name: str | None, random: bytes, padding: bytes) -> bytes:
        server = _vector(2, bytes([HOST_NAME]) + _vector(2, name.encode("ascii"))) if name else b""
        extensions = b"".join(
            (
                _extension(SERVER_NAME, server) if server else b"",
                _extension(_GROUPS, _vector(2, _numbers(self.groups))) if self.groups else b"",
                _extension(_POINT_FORMATS, b"\x01\x00") if self.groups else b"",
                _extension(_SIGNATURES, _vector(2, _numbers(self.signatures))) if self.signatures else b"",
                _extension(HEARTBEAT_EXTENSION, bytes([PEER_ALLOWED_TO_SEND])),
                _extension(_RENEGOTIATION, b"\x00"),
                padding,
            )
        )
        body = self.version.to_bytes(2, "big") + random + b"\x00" + _vector(2, _numbers(self.suites))
        return bytes([CLIENT_HELLO]) + _vector(3, body + b"\x01\x00" + _vector(2, extensions))


#: All there is at once: what nearly every server answers.
WIDE = Hello(TLS_1_2, (*ECDHE, *RSA, *DHE, *ODD), GROUPS, SIGNATURES, PADDED)


def _short(version: int, signatures: Sequence[int] = ()) -> tuple[Hello, ...]:
    """Under 256 bytes each where the name is not long."""
    half = len(ODD) // 2
    return tuple(Hello(version, suites, signatures=signatures) for suites in (RSA, ECDHE, DHE, ODD[:half], ODD[half:]))


#: For whoever takes no long hello, for whoever takes none of a version that it does not know, and for both.
SHORT = _short(TLS_1_2, (0x0401, 0x0403, 0x0201, 0x0203, 0x0202))
OLDER = tuple(Hello(version, WIDE.suites, GROUPS, padded=PADDED) for version in (TLS_1_1, TLS_1_0, SSL_3))
SHORT_AND_OLDER = _short(TLS_1_0)


def record(kind: int, version: int, fragment: bytes) -> bytes:
    """One record."""
    return bytes([kind]) + version.to_bytes(2, "big") + _vector(2, fragment)


def _extension(kind: int, content: bytes) -> bytes:
    return kind.to_bytes(2, "big") + _vector(2, content)


def _numbers(numbers: Iterable[int]) -> bytes:
    return b"".join(number.to_bytes(2, "big") for number in numbers)


def _vector(size: int, content: bytes) -> bytes:
    return len(content).to_bytes(size, "big") + content
