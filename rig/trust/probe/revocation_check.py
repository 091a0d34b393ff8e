"""Whether a certificate is taken back, by every source there is: the staple, its OCSP responder, its CRL.

A source is believed only when the certificate's issuer, or one to whom it gave this, has signed it.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.x509 import ocsp
from cryptography.x509.oid import AuthorityInformationAccessOID, ExtendedKeyUsageOID

from rig.formats.certificate_keys import signed
from rig.trust.certificate_errors import UNREADABLE
from rig.trust.probe.fetcher import Fetcher, FetchFailed
from rig.trust.probe.report import RevocationStatus, RevocationView

#: How wrong two clocks may be against each other.
SKEW = timedelta(minutes=5)
#: Of each kind: more in one certificate are not asked.
MOST_URLS = 2

#: What a source says: a status, since when it is revoked, and words.
Said = tuple[RevocationStatus, datetime | None, str]


async def ask_sources(
    leaf: x509.Certificate,
    issuer: x509.Certificate | None,
    staple: bytes | None,
    fetcher: Fetcher | None,
    at: datetime,
) -> list[RevocationView]:
    """What each says of `leaf`; without a fetcher only the staple is asked. Never raises for what they say."""
    mark = leaf.fingerprint(hashes.SHA256()).hex()
    views = []
    if staple is not None:
        views.append(_view(mark, "staple", None, judge_ocsp(staple, leaf, issuer, at)))
    if fetcher is None:
        return views
    for url in ocsp_urls(leaf):
        views.append(_view(mark, "ocsp", url, await _ask_responder(url, leaf, issuer, fetcher, at)))
    for url in crl_urls(leaf):
        views.append(_view(mark, "crl", url, await _ask_list(url, leaf, issuer, fetcher, at)))
    return views


def judge_ocsp(der: bytes, leaf: x509.Certificate, issuer: x509.Certificate | None, at: datetime) -> Said:
    """What an OCSP response says of a certificate at a time."""
    try:
        response = ocsp.load_der_ocsp_response(der)
        if response.response_status is not ocsp.OCSPResponseStatus.SUCCESSFUL:
            return "invalid", None, f"the responder refuses: {response.response_status.name.lower().replace('_', ' ')}"
        if issuer is None or not _is_signed(response, issuer, at):
            return "invalid", None, "not signed by the certificate's issuer" if issuer else "the issuer is not known"
        for one in response.responses:
            if one.serial_number == leaf.serial_number and _is_of(one, issuer):
                return _judge_single(one, at)
    except UNREADABLE as error:
        return "invalid", None, f"cannot be read: {error}"
    return "invalid", None, "is of another certificate"


def judge_crl(content: bytes, leaf: x509.Certificate, issuer: x509.Certificate | None, at: datetime) -> Said:
    """What a CRL, DER or PEM, says of a certificate at a time."""
    try:
        load = x509.load_pem_x509_crl if content.lstrip().startswith(b"-----") else x509.load_der_x509_crl
        crl = load(content)
        key = issuer.public_key() if issuer is not None else None
        if not isinstance(key, rsa.RSAPublicKey | ec.EllipticCurvePublicKey):
            return "invalid", None, "the issuer is not known"
        if crl.issuer != leaf.issuer or not crl.is_signature_valid(key):
            return "invalid", None, "not signed by the certificate's issuer"
        entry = crl.get_revoked_certificate_by_serial_number(leaf.serial_number)
        if entry is not None:
            return "revoked", entry.revocation_date_utc, ""
        if crl.next_update_utc is not None and crl.next_update_utc + SKEW < at:
            return "stale", None, f"was to be renewed by {crl.next_update_utc:%Y-%m-%d}"
    except (*UNREADABLE, TypeError) as error:
        return "invalid", None, f"cannot be read: {error}"
    return "good", None, ""


def ocsp_urls(leaf: x509.Certificate) -> list[str]:
    """Where its OCSP responders are."""
    try:
        known = leaf.extensions.get_extension_for_class(x509.AuthorityInformationAccess).value
    except (x509.ExtensionNotFound, *UNREADABLE):
        return []
    places = [one.access_location for one in known if one.access_method == AuthorityInformationAccessOID.OCSP]
    return _urls(places)


def crl_urls(leaf: x509.Certificate) -> list[str]:
    """Where its CRLs are."""
    try:
        known = leaf.extensions.get_extension_for_class(x509.CRLDistributionPoints).value
    except (x509.ExtensionNotFound, *UNREADABLE):
        return []
    return _urls([name for point in known for name in point.full_name or ()])


def _urls(places: Sequence[x509.GeneralName]) -> list[str]:
    return [place.value for place in places if isinstance(place, x509.UniformResourceIdentifier)][:MOST_URLS]


async def _ask_responder(
    url: str, leaf: x509.Certificate, issuer: x509.Certificate | None, fetcher: Fetcher, at: datetime
) -> Said:
    if issuer is None:
        return "unknown", None, "the issuer is not known, so nobody can be asked"
    # SHA-1 is what every responder knows (RFC 5019 §2.1.1).
    request = ocsp.OCSPRequestBuilder().add_certificate(leaf, issuer, hashes.SHA1()).build()
    try:
        answer = await fetcher.ask(url, request.public_bytes(serialization.Encoding.DER))
    except FetchFailed as error:
        return "unreachable", None, str(error)
    return judge_ocsp(answer, leaf, issuer, at)


async def _ask_list(
    url: str, leaf: x509.Certificate, issuer: x509.Certificate | None, fetcher: Fetcher, at: datetime
) -> Said:
    try:
        return judge_crl(await fetcher.crl(url), leaf, issuer, at)
    except FetchFailed as error:
        return "unreachable", None, str(error)


def _judge_single(one: ocsp.OCSPSingleResponse, at: datetime) -> Said:
    if one.certificate_status is ocsp.OCSPCertStatus.REVOKED:
        reason = one.revocation_reason
        return "revoked", one.revocation_time_utc, reason.value if reason is not None else ""
    if one.this_update_utc - SKEW > at or (one.next_update_utc is not None and one.next_update_utc + SKEW < at):
        until = f"{one.next_update_utc:%Y-%m-%d}" if one.next_update_utc is not None else "open"
        return "stale", None, f"holds from {one.this_update_utc:%Y-%m-%d} to {until}"
    if one.certificate_status is ocsp.OCSPCertStatus.GOOD:
        return "good", None, ""
    return "unknown", None, "the responder does not know the certificate"


def _is_of(one: ocsp.OCSPSingleResponse, issuer: x509.Certificate) -> bool:
    digest = hashes.Hash(one.hash_algorithm)
    digest.update(issuer.subject.public_bytes())
    return one.issuer_name_hash == digest.finalize()


def _is_signed(response: ocsp.OCSPResponse, issuer: x509.Certificate, at: datetime) -> bool:
    """By the issuer, or by whom the issuer lets answer at this time (RFC 6960 §4.2.2.2)."""
    deputies = [one for one in response.certificates if signed(one, issuer) and _may_answer(one, at)]
    return any(_has_signed(one, response) for one in (issuer, *deputies))


def _may_answer(certificate: x509.Certificate, at: datetime) -> bool:
    if not certificate.not_valid_before_utc - SKEW <= at <= certificate.not_valid_after_utc + SKEW:
        return False
    try:
        usages = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    except x509.ExtensionNotFound:
        return False
    return ExtendedKeyUsageOID.OCSP_SIGNING in usages


def _has_signed(certificate: x509.Certificate, response: ocsp.OCSPResponse) -> bool:
    key, hashed = certificate.public_key(), response.signature_hash_algorithm
    try:
        if isinstance(key, rsa.RSAPublicKey) and hashed is not None:
            key.verify(response.signature, response.tbs_response_bytes, padding.PKCS1v15(), hashed)
        elif isinstance(key, ec.EllipticCurvePublicKey) and hashed is not None:
            key.verify(response.signature, response.tbs_response_bytes, ec.ECDSA(hashed))
        else:
            return False
    except (InvalidSignature, UnsupportedAlgorithm):
        return False
    return True


def _view(leaf: str, source: str, url: str | None, said: Said) -> RevocationView:
    status, at, text = said
    return RevocationView.model_validate(
        {"leaf": leaf, "source": source, "url": url, "status": status, "at": at, "text": text}
    )
