"""Why a device refuses a chain, in words for people; what it refuses is `rig.formats.certificate_chain`'s matter."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

from cryptography import x509

from rig.firmware.server_trust import BUNDLE, Attempt
from rig.formats.certificate_keys import signed
from rig.formats.certificate_refusal import BUNDLE_REFUSED, Flag, Refusal
from rig.trust.shipped import PinFolder, Shipped, Unread
from rig.trust.soundness import title

_OTHER = {
    Flag.KEY_USAGE | Flag.EXT_KEY_USAGE: "it is no certificate for servers",
    Flag.BAD_MD: "it is signed with a hash that is not taken any more",
    Flag.BAD_KEY: "a key in it is too short, or on a curve that it does not know",
}


def refusal_reasons(
    firmware: Shipped,
    attempt: Attempt,
    chain: Sequence[x509.Certificate],
    pins: PinFolder,
    at: datetime,
    refusal: Refusal | Unread,
) -> tuple[str, ...]:
    """Everything that `refusal` says of a chain at a time, fact by fact."""
    if isinstance(refusal, Unread):
        return (str(refusal),)
    if refusal.code == BUNDLE_REFUSED:
        return _issuers(chain), "not by a public root"
    if refusal.error:
        return (refusal.error,)
    facts = []
    if refusal.flags & Flag.CN_MISMATCH:
        facts.append(f"it is not for {attempt.host}")
    if refusal.flags & Flag.NOT_TRUSTED:
        facts += [_issuers(chain), f"not by {_trusted(attempt, pins)}"]
    if refusal.flags & (Flag.EXPIRED | Flag.FUTURE):
        facts += dict.fromkeys(_out_of_date(firmware, attempt, chain, pins, at, refusal))
    facts += [text for flags, text in _OTHER.items() if refusal.flags & flags]
    return tuple(facts) or (" and ".join(str(flag.name).lower().replace("_", " ") for flag in refusal.flags),)


def _issuers(chain: Sequence[x509.Certificate]) -> str:
    """Who is above the leaf, as far as the chain tells."""
    names = dict.fromkeys(_common(certificate.issuer) for certificate in chain)
    return "issued by " + " under ".join(names)


def _trusted(attempt: Attempt, pins: PinFolder) -> str:
    if BUNDLE in attempt.pins:
        return "a public root"
    return " or ".join(title(certificate) for certificate in pins.certificates(attempt.pins)) or "anybody"


def _out_of_date(
    firmware: Shipped,
    attempt: Attempt,
    chain: Sequence[x509.Certificate],
    pins: PinFolder,
    at: datetime,
    refusal: Refusal,
) -> Iterator[str]:
    """Of the certificates that end or begin at the wrong time, those that matter: without them all is different."""
    for number, certificate in enumerate(chain):
        rest = [*chain[:number], *chain[number + 1 :]]
        if _dated(certificate, at) and (number == 0 or firmware.refuses(attempt, rest, pins, at) != refusal):
            yield _dated(certificate, at)
    if BUNDLE in attempt.pins:
        return  # its callback looks at keys only
    for anchor in pins.certificates(attempt.pins):
        if _dated(anchor, at) and any(signed(child, anchor) for child in chain):
            yield _dated(anchor, at)


def _dated(certificate: x509.Certificate, at: datetime) -> str:
    if at > certificate.not_valid_after_utc:
        return f"{title(certificate)} ended on {certificate.not_valid_after_utc:%Y-%m-%d}"
    if at < certificate.not_valid_before_utc:
        return f"{title(certificate)} begins on {certificate.not_valid_before_utc:%Y-%m-%d}"
    return ""


def _common(name: x509.Name) -> str:
    common = name.get_attributes_for_oid(x509.NameOID.COMMON_NAME)
    return str(common[0].value) if common else name.rfc4514_string() or "nobody"
