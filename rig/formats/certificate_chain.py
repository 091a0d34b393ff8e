"""Whom an ESP32 trusts: anchors from PEM, and chains judged by mbedTLS's rules. No TLS in here.

mbedTLS as ESP-IDF builds it ignores validity dates; what it does check, and the flags it raises, are of
reference/esp32.md §6.2.
"""

from __future__ import annotations

import contextlib
import enum
import ipaddress
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import reduce
from operator import or_
from typing import TYPE_CHECKING

from rig.errors import Misuse
from rig.formats.mbedtls_build import CRITICAL, EC_KEY, RSA_KEY, SHORTEST_RSA, SIGNATURES, TODAY, MbedTls

if TYPE_CHECKING:
    from cryptography.x509 import Certificate

#: mbedTLS gives up on chains with more intermediates.
MOST_INTERMEDIATES = 8


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


class KeyExchange(enum.Enum):
    """What a server's key does in a handshake; the value is the usage that its certificate must then allow."""

    #: ECDHE and DHE.
    SIGNS = "digital_signature"
    #: The key exchange by RSA itself.
    DECRYPTS = "key_encipherment"


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
        if not read or not all(_is_readable(one, self.build) for one in read):
            return Refusal(Flag(0), UNREADABLE)
        if error := next(filter(None, map(_extension_error, read)), 0):
            return Refusal(Flag(0), error)
        refusal = self._refuses(read, exchange)
        if refusal is None and _is_too_long(read[0], self.build):
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
        found[chain[0]] |= _usage(chain[0], exchange) | self._key(chain[0])
        for at, certificate in enumerate(path):
            if self.at is not None:
                found[certificate] |= _dates(certificate, self.at)
            if at == 0 or at < len(path) - 1 or not is_anchored:  # how an anchor itself is signed is not looked at
                found[certificate] |= self._digest(certificate)
            if at < len(path) - 1:
                found[certificate] |= self._key(path[at + 1])
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
        return not _is_too_long(issuer, self.build) and signed(child, issuer)

    def _key(self, certificate: Certificate) -> Flag:
        """mbedTLS's default profile wants RSA keys of 2048 bits; of the others, those on curves that it takes."""
        from cryptography.hazmat.primitives.asymmetric import ec, rsa

        key = certificate.public_key()
        if isinstance(key, rsa.RSAPublicKey):
            return Flag(0) if key.key_size >= SHORTEST_RSA else Flag.BAD_KEY
        is_taken = isinstance(key, ec.EllipticCurvePublicKey) and key.curve.name in self.build.curves
        return Flag(0) if is_taken else Flag.BAD_KEY

    def _digest(self, certificate: Certificate) -> Flag:
        """And SHA-2."""
        hashed = certificate.signature_hash_algorithm
        return Flag.BAD_MD if hashed is None or hashed.name not in self.build.hashes else Flag(0)

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
    return (one for one in among if one.subject == child.issuer and _may_issue(one, height - 1))


def signed(child: Certificate, issuer: Certificate) -> bool:
    """Whether `issuer`'s key has signed `child`, and its name is the one `child` tells; by whatever hash."""
    from cryptography.exceptions import InvalidSignature

    try:
        child.verify_directly_issued_by(issuer)
    except (TypeError, InvalidSignature):
        return False
    except ValueError:  # it takes no SHA-1
        return _signed_with_sha1(child, issuer)
    return True


def _signed_with_sha1(child: Certificate, issuer: Certificate) -> bool:
    """mbedTLS verifies such a signature, whatever its profile then says of the hash."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import padding, rsa

    key, hashed = issuer.public_key(), child.signature_hash_algorithm
    if not isinstance(key, rsa.RSAPublicKey) or not isinstance(hashed, hashes.SHA1):
        return False
    try:
        key.verify(child.signature, child.tbs_certificate_bytes, padding.PKCS1v15(), hashed)
    except (ValueError, InvalidSignature):
        return False
    return child.issuer == issuer.subject


def _may_issue(certificate: Certificate, intermediates: int) -> bool:
    from cryptography import x509

    try:
        constraints = certificate.extensions.get_extension_for_class(x509.BasicConstraints).value
        if not constraints.ca:
            return False
        if constraints.path_length is not None and constraints.path_length < intermediates:
            return False
    except x509.ExtensionNotFound:
        return certificate.version is x509.Version.v1
    except ValueError:
        return False
    try:
        return certificate.extensions.get_extension_for_class(x509.KeyUsage).value.key_cert_sign
    except x509.ExtensionNotFound:
        return True


def _self_issued(certificate: Certificate) -> bool:
    return certificate.subject == certificate.issuer


def is_for(certificate: Certificate, name: str, build: MbedTls = TODAY) -> bool:
    """By the alternative names, and by the common name only where there are none; a dot at the end is one of the name.

    A star stands for exactly the first label. An IP address is looked for among addresses (from ESP-IDF 5.2 on), and
    among names as text.
    """
    from cryptography import x509

    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        known = names.get_values_for_type(x509.DNSName)
        if build.compares_addresses and _address(name) in names.get_values_for_type(x509.IPAddress):
            return True
    except x509.ExtensionNotFound:
        known = [str(one.value) for one in certificate.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)]
    except ValueError:
        known = []
    return any(_matches(pattern.lower(), name.lower()) for pattern in known)


def _address(name: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(name)
    except ValueError:
        return None


def _is_readable(certificate: Certificate, build: MbedTls) -> bool:
    """Whether its key is of a kind, and on a curve, that this build reads. Raises what the library does for others."""
    from cryptography.hazmat.primitives.asymmetric import ec

    kind = certificate.public_key_algorithm_oid.dotted_string
    if kind != EC_KEY:
        return kind == RSA_KEY
    key = certificate.public_key()
    return isinstance(key, ec.EllipticCurvePublicKey) and key.curve.name in build.known_curves


def _extension_error(certificate: Certificate) -> int:
    """The error that an extension ends the reading with; 0 for none. What is not critical may be anything."""
    from cryptography import x509
    from cryptography.x509.oid import CertificatePoliciesOID

    try:
        critical = [one for one in certificate.extensions if one.critical]
    except x509.DuplicateExtension as error:
        # One that it does not know it skips, however often.
        return REPEATED_EXTENSION if error.oid.dotted_string in CRITICAL else 0
    except ValueError:
        return 0
    for one in critical:
        if one.oid.dotted_string not in CRITICAL:
            return UNKNOWN_EXTENSION
        if isinstance(one.value, x509.CertificatePolicies):
            policies = {policy.policy_identifier for policy in one.value}
            if policies != {CertificatePoliciesOID.ANY_POLICY}:
                return UNKNOWN_POLICY
    return 0


def _is_too_long(certificate: Certificate, build: MbedTls) -> bool:
    from cryptography.hazmat.primitives.asymmetric import rsa

    key = certificate.public_key()
    return build.longest_rsa is not None and isinstance(key, rsa.RSAPublicKey) and key.key_size > build.longest_rsa


def _matches(pattern: str, name: str) -> bool:
    """A star stands for exactly one label, the first."""
    if pattern.startswith("*."):
        label, dot, rest = name.partition(".")
        return bool(label and dot) and rest == pattern[2:]
    return pattern == name


def _usage(leaf: Certificate, exchange: KeyExchange) -> Flag:
    """What its extensions forbid; one that has none of them may be used for everything."""
    from cryptography import x509
    from cryptography.x509 import oid

    flags = Flag(0)
    with contextlib.suppress(x509.ExtensionNotFound, ValueError):
        if not getattr(leaf.extensions.get_extension_for_class(x509.KeyUsage).value, exchange.value):
            flags |= Flag.KEY_USAGE
    with contextlib.suppress(x509.ExtensionNotFound, ValueError):
        wanted = (oid.ExtendedKeyUsageOID.SERVER_AUTH, oid.ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE)
        if not any(usage in wanted for usage in leaf.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value):
            flags |= Flag.EXT_KEY_USAGE
    return flags


def _dates(certificate: Certificate, at: datetime) -> Flag:
    if at > certificate.not_valid_after_utc:
        return Flag.EXPIRED
    return Flag.FUTURE if at < certificate.not_valid_before_utc else Flag(0)
