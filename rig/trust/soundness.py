"""What is wrong with an identity before anybody has to trust it: judged strictly, as no device judges it."""

from __future__ import annotations

import enum
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from rig.errors import Misuse
from rig.formats.certificate_chain import signed
from rig.trust.certificate_errors import UNREADABLE

SHORTEST_RSA = 2048
_DER = serialization.Encoding.DER
#: What an ESP32 takes in one record (reference/esp32.md §6.2).
LONGEST_CHAIN = 16 * 1024


class Defect(enum.StrEnum):
    """What can be wrong; people name it to have it accepted."""

    WRONG_NAME = "wrong-name"
    EXPIRED = "expired"
    NOT_YET_VALID = "not-yet-valid"
    WRONG_ORDER = "wrong-order"
    MISSING_INTERMEDIATE = "missing-intermediate"
    BROKEN_AUTHORITY = "broken-authority"
    UNKNOWN_ROOT = "unknown-root"
    WEAK_KEY = "weak-key"
    SHA1 = "sha1"
    TOO_LONG = "too-long"
    UNREADABLE = "unreadable"
    #: Of nothing that is wrong with the chain: firmware in the field pins another (rig.trust.shipped).
    REFUSED_BY_FIRMWARE = "refused-by-firmware"


@dataclass(frozen=True, slots=True)
class Flaw:
    """One defect, and which certificate has it."""

    defect: Defect
    text: str

    def __str__(self) -> str:
        return f"{self.defect}: {self.text}"


def flaws(
    chain: Sequence[x509.Certificate],
    names: Sequence[str],
    *,
    at: datetime,
    roots: Sequence[x509.Certificate] = (),
) -> list[Flaw]:
    """All that is wrong with a chain (leaf first, as it is served) that is to be for `names` at a time.

    With `roots` it must lead to one of them; without, to whatever its last certificate names. An authority is broken
    when it may not issue, or when what it issued is not signed by its key.
    """
    try:
        found = [
            *_names(chain[0], names),
            *_links(chain, roots),
            *(flaw for certificate in chain for flaw in _dates(certificate, at)),
            *(flaw for certificate in chain for flaw in _weakness(certificate)),
        ]
    except UNREADABLE as error:
        return [Flaw(Defect.UNREADABLE, f"a certificate breaks the rules of its form: {error}")]
    size = sum(len(certificate.public_bytes(_DER)) for certificate in chain)
    if size > LONGEST_CHAIN:
        found.append(Flaw(Defect.TOO_LONG, f"{size} bytes of certificates, an ESP32 takes {LONGEST_CHAIN}"))
    return found


def refuse_flaws(found: Sequence[Flaw], accepted: Sequence[str] = ()) -> None:
    """Raises Misuse for the first flaw that nobody accepted, and for accepting what does not exist."""
    for name in accepted:
        if name not in set(Defect):
            raise Misuse(f"no flaw is called {name}", hint=f"one of {', '.join(Defect)}")
    open_ones = [flaw for flaw in found if flaw.defect not in accepted]
    if open_ones:
        more = f" (and {len(open_ones) - 1} more)" if len(open_ones) > 1 else ""
        raise Misuse(f"this identity has a flaw: {open_ones[0]}{more}", hint=f"--accept {open_ones[0].defect}")


def covers(certificate: x509.Certificate, name: str) -> bool:
    """Whether a certificate's alternative names cover a DNS name; a star stands for exactly the first label."""
    try:
        known = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return False
    label, _, rest = name.lower().partition(".")
    patterns = {pattern.lower() for pattern in known.get_values_for_type(x509.DNSName)}
    addresses = {str(address) for address in known.get_values_for_type(x509.IPAddress)}
    return name.lower() in patterns or (bool(label and rest) and f"*.{rest}" in patterns) or name in addresses


def title(certificate: x509.Certificate) -> str:
    """What a certificate is called: its subject, short."""
    common = certificate.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)
    return str(common[0].value) if common else certificate.subject.rfc4514_string() or "a certificate without a name"


def _names(leaf: x509.Certificate, names: Sequence[str]) -> Iterator[Flaw]:
    for name in names:
        if not covers(leaf, name):
            yield Flaw(Defect.WRONG_NAME, f"{title(leaf)} is not for {name}")


def _links(chain: Sequence[x509.Certificate], roots: Sequence[x509.Certificate]) -> Iterator[Flaw]:
    """From each certificate to its issuer, which must be the next one, as far as they go; and then to a root."""
    rooted, top = False, chain[0]
    for at, child in enumerate(chain):
        top = child
        rooted = rooted or child in roots or any(signed(child, root) for root in roots)
        above = [one for one in chain[at + 1 :] if one.subject == child.issuer]
        if not above:
            break
        if not any(_may_issue(one) and signed(child, one) for one in above):
            yield Flaw(Defect.BROKEN_AUTHORITY, f"{title(child)} is not signed by {_named(child.issuer)} as it is here")
            return
        if above[0] != chain[at + 1]:
            yield Flaw(Defect.WRONG_ORDER, f"{title(chain[at + 1])} stands before the issuer of {title(child)}")
            return
    if rooted or not roots:
        return
    if any(root.subject == top.issuer for root in roots):
        yield Flaw(Defect.BROKEN_AUTHORITY, f"{title(top)} is not signed by {_named(top.issuer)} as it is known")
    elif _may_issue(top):
        yield Flaw(Defect.UNKNOWN_ROOT, f"{title(top)} leads to {_named(top.issuer)}, which is no root we know")
    else:
        yield Flaw(Defect.MISSING_INTERMEDIATE, f"the issuer of {title(top)}, {_named(top.issuer)}, is not served")


def _may_issue(certificate: x509.Certificate) -> bool:
    try:
        return certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except (x509.ExtensionNotFound, ValueError):
        return False


def _dates(certificate: x509.Certificate, at: datetime) -> Iterator[Flaw]:
    if at > certificate.not_valid_after_utc:
        yield Flaw(Defect.EXPIRED, f"{title(certificate)} ended on {certificate.not_valid_after_utc:%Y-%m-%d}")
    if at < certificate.not_valid_before_utc:
        yield Flaw(Defect.NOT_YET_VALID, f"{title(certificate)} begins on {certificate.not_valid_before_utc:%Y-%m-%d}")


def _weakness(certificate: x509.Certificate) -> Iterator[Flaw]:
    key, hashed = certificate.public_key(), certificate.signature_hash_algorithm
    if isinstance(key, rsa.RSAPublicKey) and key.key_size < SHORTEST_RSA:
        yield Flaw(Defect.WEAK_KEY, f"{title(certificate)} has an RSA key of {key.key_size} bits")
    elif not isinstance(key, rsa.RSAPublicKey | ec.EllipticCurvePublicKey):
        yield Flaw(Defect.WEAK_KEY, f"{title(certificate)} has a key that is neither RSA nor ECDSA")
    if hashed is not None and hashed.name in ("sha1", "md5") and certificate.subject != certificate.issuer:
        yield Flaw(Defect.SHA1, f"{title(certificate)} is signed with {hashed.name}")


def _named(name: x509.Name) -> str:
    common = name.get_attributes_for_oid(x509.NameOID.COMMON_NAME)
    return str(common[0].value) if common else name.rfc4514_string() or "nobody"
