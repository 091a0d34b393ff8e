"""What is wrong with an identity before anybody has to trust it: judged strictly, as no device judges it."""

from __future__ import annotations

import enum
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from math import inf

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from rig.errors import Misuse
from rig.formats.certificate_chain import Trust
from rig.formats.certificate_keys import signed
from rig.formats.certificate_names import is_for
from rig.formats.certificate_refusal import Flag
from rig.formats.mbedtls_build import EC_KEY, RSA_KEY, SHORTEST_RSA, TODAY
from rig.trust.certificate_errors import UNREADABLE

Chain = Sequence[x509.Certificate]
_DER = serialization.Encoding.DER
#: What an ESP32 takes in one record (mbedtls/Kconfig).
LONGEST_CHAIN = 16 * 1024


class Defect(enum.StrEnum):
    """What can be wrong; people name it to have it accepted."""

    WRONG_NAME = "wrong-name"
    #: Named by its common name alone: an ESP32 takes that, and hardly anybody else does any more.
    COMMON_NAME_ONLY = "common-name-only"
    EXPIRED = "expired"
    NOT_YET_VALID = "not-yet-valid"
    WRONG_ORDER = "wrong-order"
    #: Not in order, and found all the same by whoever looks at all that is behind a certificate, as an ESP32 does.
    LOOSE_ORDER = "loose-order"
    MISSING_INTERMEDIATE = "missing-intermediate"
    BROKEN_AUTHORITY = "broken-authority"
    UNKNOWN_ROOT = "unknown-root"
    PATH_LENGTH = "path-length"
    WRONG_USAGE = "wrong-usage"
    WEAK_KEY = "weak-key"
    UNKNOWN_CURVE = "unknown-curve"
    SHA1 = "sha1"
    TOO_LONG = "too-long"
    UNREADABLE = "unreadable"
    #: Out of date, and nobody needs it: who knows today's roots goes on without it.
    EXTRA_CERTIFICATE = "extra-certificate"
    #: Of nothing that is wrong with the chain: firmware in the field pins another (rig.trust.shipped).
    REFUSED_BY_FIRMWARE = "refused-by-firmware"
    #: Of nothing that is wrong with the chain: who dials a name of the former one is lost (rig.trust.remote.judgement).
    FEWER_NAMES = "fewer-names"


#: What keeps nobody out, and so refuses no identity.
HARMLESS = frozenset({Defect.EXTRA_CERTIFICATE})


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
        path, broken = _links(chain, roots, at)
        found: list[Flaw] = [
            *_names(chain[0], names),
            *_usage(chain[0]),
            *broken,
            *_path_lengths(path, roots),
            *(flaw for certificate in chain for flaw in _dates(certificate, at, is_needed=certificate in path)),
            *(flaw for certificate in dict.fromkeys(chain) for flaw in _weakness(certificate)),
        ]
    except UNREADABLE as error:
        return [Flaw(Defect.UNREADABLE, f"a certificate breaks the rules of its form: {error}")]
    found = list(dict.fromkeys(found))
    size = message_size(chain)
    if size > LONGEST_CHAIN:
        found.append(Flaw(Defect.TOO_LONG, f"{size} bytes of certificates, an ESP32 takes {LONGEST_CHAIN}"))
    return found


def message_size(chain: Sequence[x509.Certificate]) -> int:
    """Bytes of the handshake message that carries a chain in TLS 1.2 (RFC 5246 §7.4.2)."""
    return 7 + sum(3 + len(certificate.public_bytes(_DER)) for certificate in chain)


def refuse_flaws(found: Sequence[Flaw], accepted: Sequence[str] = ()) -> None:
    """Raises Misuse for the first flaw that does harm and nobody accepted, and for accepting what does not exist."""
    for name in accepted:
        if name not in set(Defect):
            raise Misuse(f"no flaw is called {name}", hint=f"one of {', '.join(Defect)}")
    open_ones = [flaw for flaw in found if flaw.defect not in (*accepted, *HARMLESS)]
    if open_ones:
        more = f" (and {len(open_ones) - 1} more)" if len(open_ones) > 1 else ""
        raise Misuse(f"this identity has a flaw: {open_ones[0]}{more}", hint=f"--accept {open_ones[0].defect}")


def title(certificate: x509.Certificate) -> str:
    """What a certificate is called: its subject, short."""
    common = certificate.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)
    return str(common[0].value) if common else certificate.subject.rfc4514_string() or "a certificate without a name"


def _names(leaf: x509.Certificate, names: Sequence[str]) -> Iterator[Flaw]:
    for name in names:
        if not is_for(leaf, name):
            yield Flaw(Defect.WRONG_NAME, f"{title(leaf)} is not for {name}")
        elif not _has_alternative_names(leaf):
            yield Flaw(Defect.COMMON_NAME_ONLY, f"{title(leaf)} is for {name} by its common name only: few take that")


def _has_alternative_names(leaf: x509.Certificate) -> bool:
    try:
        leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except x509.ExtensionNotFound:
        return False
    return True


def _usage(leaf: x509.Certificate) -> Iterator[Flaw]:
    """What its extensions forbid, as mbedTLS reads them."""
    refusal = Trust().refuses((leaf,))
    flags = refusal.flags if refusal is not None else Flag(0)  # none for a key that it cannot read at all
    if flags & Flag.EXT_KEY_USAGE:
        yield Flaw(Defect.WRONG_USAGE, f"{title(leaf)} is no certificate for servers")
    if flags & Flag.KEY_USAGE:
        yield Flaw(Defect.WRONG_USAGE, f"the key of {title(leaf)} may not sign, and handshakes want that")


def _links(chain: Chain, roots: Chain, at: datetime) -> tuple[list[x509.Certificate], list[Flaw]]:
    """The path from the leaf up to what a root has signed, or as far as it goes; and what is wrong with it.

    As mbedTLS finds it: of what stands behind a certificate, whoever has its issuer's name first.
    """
    path, behind, ended = [chain[0]], list(chain[1:]), list[x509.Certificate]()
    loose: list[Flaw] = []
    while True:
        child = path[-1]
        anchors = [root for root in roots if root == child or signed(child, root)]
        if any(not any(_dates(root, at)) for root in anchors):
            return path, loose
        ended += anchors
        is_top = not roots and child.subject == child.issuer
        above = [one for one in behind if one.subject == child.issuer and not is_top]
        if not above:
            return path, _at_the_end(child, chain, behind, roots, ended, loose)
        if not any(_may_issue(one) and signed(child, one) for one in above):
            text = f"{title(child)} is not signed by {_named(child.issuer)} as it is here"
            return path, [Flaw(Defect.BROKEN_AUTHORITY, text)]
        issuer = next(one for one in above if _may_issue(one))
        if not signed(child, issuer):
            text = f"a namesake of it stands before the issuer of {title(child)}"
            return path, [Flaw(Defect.WRONG_ORDER, text)]
        if issuer != behind[0]:
            loose.append(Flaw(Defect.LOOSE_ORDER, f"{title(behind[0])} stands before the issuer of {title(child)}"))
        path.append(issuer)
        behind = behind[behind.index(issuer) + 1 :]


def _at_the_end(
    top: x509.Certificate, chain: Chain, behind: Chain, roots: Chain, ended: Chain, loose: list[Flaw]
) -> list[Flaw]:
    """Nothing that is behind the top of a path leads on, and no root that is valid has signed it."""
    before = chain[: len(chain) - len(behind)]
    if any(one != top and signed(top, one) for one in before):
        return [Flaw(Defect.WRONG_ORDER, f"{_named(top.issuer)} stands before {title(top)}, which it issued")]
    if ended:
        return [*loose, Flaw(Defect.EXPIRED, f"{title(ended[0])}, the root, is not valid at this time")]
    if not roots:
        return loose
    if any(root.subject == top.issuer for root in roots):
        text = f"{title(top)} is not signed by {_named(top.issuer)} as it is known"
        return [*loose, Flaw(Defect.BROKEN_AUTHORITY, text)]
    if _may_issue(top):
        text = f"{title(top)} leads to {_named(top.issuer)}, which is no root we know"
        return [*loose, Flaw(Defect.UNKNOWN_ROOT, text)]
    text = f"the issuer of {title(top)}, {_named(top.issuer)}, is not served"
    return [*loose, Flaw(Defect.MISSING_INTERMEDIATE, text)]


def _path_lengths(path: Chain, roots: Chain) -> Iterator[Flaw]:
    """Each authority may have so many intermediates below it, and no more."""
    above = [root for root in roots if root != path[-1] and signed(path[-1], root)]
    if above and all(_limit(root) < len(path) - 1 for root in above):
        yield Flaw(Defect.PATH_LENGTH, f"{title(above[0])} has more authorities below it than it allows")
    for below, authority in enumerate(path[1:]):
        if _limit(authority) < below:
            yield Flaw(Defect.PATH_LENGTH, f"{title(authority)} has more authorities below it than it allows")


def _limit(authority: x509.Certificate) -> float:
    try:
        limit = authority.extensions.get_extension_for_class(x509.BasicConstraints).value.path_length
    except (x509.ExtensionNotFound, ValueError):
        return inf
    return inf if limit is None else limit


def _may_issue(certificate: x509.Certificate) -> bool:
    try:
        if not certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca:
            return False
    except (x509.ExtensionNotFound, ValueError):
        return False
    try:
        return certificate.extensions.get_extension_for_class(x509.KeyUsage).value.key_cert_sign
    except x509.ExtensionNotFound:
        return True


def _dates(certificate: x509.Certificate, at: datetime, *, is_needed: bool = True) -> Iterator[Flaw]:
    more = "" if is_needed else ", and no path needs it"
    if at > certificate.not_valid_after_utc:
        text = f"{title(certificate)} ended on {certificate.not_valid_after_utc:%Y-%m-%d}{more}"
        yield Flaw(Defect.EXPIRED if is_needed else Defect.EXTRA_CERTIFICATE, text)
    if at < certificate.not_valid_before_utc:
        text = f"{title(certificate)} begins on {certificate.not_valid_before_utc:%Y-%m-%d}{more}"
        yield Flaw(Defect.NOT_YET_VALID if is_needed else Defect.EXTRA_CERTIFICATE, text)


def _weakness(certificate: x509.Certificate) -> Iterator[Flaw]:
    key, hashed = certificate.public_key(), certificate.signature_hash_algorithm
    if certificate.public_key_algorithm_oid.dotted_string not in (RSA_KEY, EC_KEY):
        yield Flaw(Defect.WEAK_KEY, f"{title(certificate)} has a key that is neither RSA nor ECDSA")
    elif isinstance(key, rsa.RSAPublicKey):
        if not SHORTEST_RSA <= key.key_size <= (TODAY.longest_rsa or key.key_size):
            yield Flaw(Defect.WEAK_KEY, f"{title(certificate)} has an RSA key of {key.key_size} bits")
    elif isinstance(key, ec.EllipticCurvePublicKey) and key.curve.name not in TODAY.curves:
        yield Flaw(Defect.UNKNOWN_CURVE, f"{title(certificate)} has a key on {key.curve.name}, which no ESP32 takes")
    if hashed is None:
        yield Flaw(Defect.WEAK_KEY, f"{title(certificate)} is signed by a key that is neither RSA nor ECDSA")
    if hashed is not None and hashed.name in ("sha1", "md5") and certificate.subject != certificate.issuer:
        yield Flaw(Defect.SHA1, f"{title(certificate)} is signed with {hashed.name}")


def _named(name: x509.Name) -> str:
    common = name.get_attributes_for_oid(x509.NameOID.COMMON_NAME)
    return str(common[0].value) if common else name.rfc4514_string() or "nobody"
