"""How mbedTLS refuses a chain: the flags it raises, its errors, and the alerts that tell the server."""

from __future__ import annotations

import enum
from dataclasses import dataclass


class Flag(enum.IntFlag):
    """What is wrong with a chain; the numbers are mbedTLS's."""

    EXPIRED = 0x01
    CN_MISMATCH = 0x04
    NOT_TRUSTED = 0x08
    OTHER = 0x100
    FUTURE = 0x200
    KEY_USAGE = 0x800
    EXT_KEY_USAGE = 0x1000
    BAD_MD = 0x4000
    BAD_KEY = 0x10000


#: The alert for a chain, the first that applies; anything else is certificate_unknown.
ALERTS = (
    (Flag.OTHER, 49),
    (Flag.CN_MISMATCH, 42),
    (Flag.KEY_USAGE | Flag.EXT_KEY_USAGE | Flag.BAD_KEY, 43),
    (Flag.EXPIRED, 45),
    (Flag.NOT_TRUSTED, 48),
)
CERTIFICATE_UNKNOWN = 46
#: Errors of mbedTLS: the verdict on a chain, and what the bundle's callback returns.
VERIFY_FAILED, BUNDLE_REFUSED = -0x2700, -0x3000
#: Those of its handshake: nobody to trust at all, and a certificate that is for something else.
NO_ANCHORS, WRONG_USAGE = -0x7680, -0x7A00
#: A certificate whose key it cannot read, and a key that the ESP32's multiplier is too short for.
UNREADABLE, KEY_TOO_LONG = -0x3C80, -0x428E
#: A critical extension that it does not know, a critical policy other than `any`, one extension twice.
UNKNOWN_EXTENSION, UNKNOWN_POLICY, REPEATED_EXTENSION = -0x2562, -0x2080, -0x2500
#: The alert for each of these, and what is wrong.
_OF_ERRORS = {
    UNREADABLE: (42, "it has a key of a kind that it cannot read"),
    KEY_TOO_LONG: (51, "its RSA key is longer than an ESP32 computes with"),
    UNKNOWN_EXTENSION: (42, "it has a critical extension that it does not know"),
    UNKNOWN_POLICY: (42, "it has a critical policy that it does not know"),
    REPEATED_EXTENSION: (42, "it has an extension twice"),
}


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a chain is not trusted: mbedTLS's flags and error."""

    flags: Flag
    code: int = VERIFY_FAILED

    @property
    def alert(self) -> int:
        """Number of the alert that tells the server."""
        if self.code in _OF_ERRORS:
            return _OF_ERRORS[self.code][0]
        return next((alert for flags, alert in ALERTS if self.flags & flags), CERTIFICATE_UNKNOWN)

    @property
    def error(self) -> str:
        """What is wrong with a certificate before it is a matter of trust; nothing where that is what the flags say."""
        return _OF_ERRORS[self.code][1] if self.code in _OF_ERRORS else ""
