"""Whom an ESP32 trusts: anchors from PEM, and chains judged by mbedTLS's rules. No TLS in here.

mbedTLS as ESP-IDF builds it ignores validity dates; what it does check, and the flags it raises, are of
x509_crt.c, and of ESP-IDF's mbedtls/Kconfig.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import reduce
from operator import or_
from typing import TYPE_CHECKING

from rig.errors import Misuse
from rig.formats.certificate_extensions import KeyExchange, extension_error, may_issue, usage_flaw
from rig.formats.certificate_keys import digest_flaw, is_readable, is_too_long, key_flaw, signed
from rig.formats.certificate_names import is_for
from rig.formats.certificate_refusal import (
    BUNDLE_REFUSED,
    KEY_TOO_LONG,
    NO_ANCHORS,
    UNREADABLE,
    VERIFY_FAILED,
    WRONG_USAGE,
    Flag,
    Refusal,
)
from rig.formats.mbedtls_build import SIGNATURES, TODAY, MbedTls

if TYPE_CHECKING:
    from cryptography.x509 import Certificate

#: mbedTLS gives up on chains with more intermediates.
MOST_INTERMEDIATES = 8


@dataclass(frozen=True, slots=True)
class Trust:
    """What a connection is verified with: `anchors` from a PEM, or else a `bundle`.

    `name` is what the certificate must be for (None: not checked), `at` the time that must lie in every validity
    (None: dates are ignored).
    """

    anchors: tuple[Certificate, ...] = ()
    bundle: tuple[Certificate, ...] | None = None
    name: str | None = None
    at: datetime | None = None
    build: MbedTls = TODAY

    def refuses(self, chain: Sequence[Certificate], exchange: KeyExchange = KeyExchange.SIGNS) -> Refusal | None:
        """Judge a chain as the server sent it, leaf first, in a handshake with this exchange of keys."""
        if not chain:
            return Refusal(Flag.NOT_TRUSTED)
        # One whose signature it does not know is left out; one whose key or extensions it does not know ends it all.
        read = [one for one in chain if one.signature_algorithm_oid.dotted_string in SIGNATURES]
        if not read or not all(is_readable(one, self.build) for one in read):
            return Refusal(Flag(0), UNREADABLE)
        if error := next(filter(None, map(extension_error, read)), 0):
            return Refusal(Flag(0), error)
        refusal = self._refuses(read, exchange)
        if refusal is None and is_too_long(read[0], self.build):
            return Refusal(Flag(0), KEY_TOO_LONG)
        return refusal

    def _refuses(self, chain: Sequence[Certificate], exchange: KeyExchange) -> Refusal | None:
        found = self._flags(chain, exchange)
        if self.bundle is not None:
            for certificate, flags in found.items():
                # The bundle's callback judges what nobody has certified, unless there is more that is wrong with it.
                if flags & ~Flag.BAD_MD != Flag.NOT_TRUSTED:
                    continue
                if not any(self._signed(certificate, root) for root in self.bundle):
                    # It ends the verification for good, and then mbedTLS sets every flag there is.
                    return Refusal(Flag(0xFFFFFFFF), BUNDLE_REFUSED)
                found[certificate] = Flag(0)
        flags = reduce(or_, found.values())
        if not flags:
            return None
        if not self.anchors and self.bundle is None:
            return Refusal(flags, NO_ANCHORS)
        return Refusal(flags, VERIFY_FAILED if flags & ~(Flag.EXT_KEY_USAGE | Flag.KEY_USAGE) else WRONG_USAGE)

    def _flags(self, chain: Sequence[Certificate], exchange: KeyExchange) -> dict[Certificate, Flag]:
        """What is wrong with each certificate of the path, leaf first."""
        path, untrusted, is_anchored = self._path(chain)
        found = {certificate: Flag(0) for certificate in path}
        if self.name is not None and not is_for(chain[0], self.name, self.build):
            found[chain[0]] |= Flag.CN_MISMATCH
        found[chain[0]] |= usage_flaw(chain[0], exchange) | key_flaw(chain[0], self.build)
        for at, certificate in enumerate(path):
            if self.at is not None:
                found[certificate] |= _dates(certificate, self.at)
            if at == 0 or at < len(path) - 1 or not is_anchored:  # how an anchor itself is signed is not looked at
                found[certificate] |= digest_flaw(certificate, self.build)
            if at < len(path) - 1:
                found[certificate] |= key_flaw(path[at + 1], self.build)
        for certificate in untrusted:
            found[certificate] |= Flag.NOT_TRUSTED
        return found

    def _path(self, chain: Sequence[Certificate]) -> tuple[list[Certificate], list[Certificate], bool]:
        """The certificates from the leaf up, those that none above has certified, and whether they end at an anchor."""
        path, child, behind = [chain[0]], chain[0], list(chain[1:])
        untrusted: list[Certificate] = []
        if _self_issued(child) and child in self.anchors:
            return path, untrusted, True
        while True:
            for anchor in self._in_date(_namesakes_above(child, self.anchors, len(path))):
                if self._signed(child, anchor):
                    return [*path, anchor], untrusted, True
            # Of what the server sent behind it, the first that would do by its name is taken, and no other is tried.
            above = next(iter(self._in_date(_namesakes_above(child, behind, len(path)))), None)
            if above is None or len(path) > MOST_INTERMEDIATES:
                return path, [*untrusted, child], False
            if not self._signed(child, above):
                untrusted.append(child)
            behind = behind[behind.index(above) + 1 :]
            path.append(above)
            child = above

    def _signed(self, child: Certificate, issuer: Certificate) -> bool:
        return not is_too_long(issuer, self.build) and signed(child, issuer)

    def _in_date(self, candidates: Iterator[Certificate]) -> Sequence[Certificate]:
        """In the order they are tried: where dates are checked, those that are valid come before all others."""
        at = self.at
        return [*candidates] if at is None else sorted(candidates, key=lambda one: bool(_dates(one, at)))


def read_pem(pem: str | bytes, source: str) -> tuple[Certificate, ...]:
    """Every certificate in a PEM, whatever is around them. Raises Misuse that names `source`."""
    from cryptography import x509

    try:
        return tuple(x509.load_pem_x509_certificates(pem.encode() if isinstance(pem, str) else pem))
    except ValueError as error:
        raise Misuse(f"{source}: no certificates in PEM ({error})") from error


def _namesakes_above(child: Certificate, among: Sequence[Certificate], height: int) -> Iterator[Certificate]:
    """Those that could have issued `child` by their name; `height` is that of the child, a leaf's is 1."""
    return (one for one in among if one.subject == child.issuer and may_issue(one, height - 1))


def _self_issued(certificate: Certificate) -> bool:
    return certificate.subject == certificate.issuer


def _dates(certificate: Certificate, at: datetime) -> Flag:
    if at > certificate.not_valid_after_utc:
        return Flag.EXPIRED
    return Flag.FUTURE if at < certificate.not_valid_before_utc else Flag(0)
