"""A served chain as a probe describes it: its certificates, where it leads, and what is wrong with it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from rig.formats.certificate_keys import signed
from rig.trust.probe.report import CertificateView, ChainView, FlawView
from rig.trust.soundness import Defect, flaws, title

_CURVES = {"secp256r1": "p256", "secp384r1": "p384", "secp521r1": "p521"}
_OUT_OF_ORDER = (Defect.WRONG_ORDER, Defect.LOOSE_ORDER)
_OPEN_ENDS = (Defect.MISSING_INTERMEDIATE, Defect.UNKNOWN_ROOT, Defect.BROKEN_AUTHORITY)


#: No path is longer; a server could send hundreds of certificates that all name each other.
MOST_LINKS = 16


def view_chain(
    chain: Sequence[x509.Certificate],
    name: str,
    clients: Sequence[str],
    roots: Sequence[x509.Certificate],
    at: datetime,
) -> ChainView:
    """What is to be said of a chain that is served to these kinds of clients. Raises one of UNREADABLE."""
    views = tuple(map(view_certificate, chain))
    found = flaws(chain, [name], at=at, roots=roots)
    defects = {flaw.defect for flaw in found}
    return ChainView(
        certificates=views,
        clients=tuple(clients),
        in_order=not defects.intersection(_OUT_OF_ORDER),
        complete=not defects.intersection(_OPEN_ENDS),
        has_root=any(one.subject == one.issuer for one in chain),
        roots=tuple(sorted({title(root) for root in roots_of(chain, roots)})),
        days_left=round((views[0].not_after - at).total_seconds() / 86400, 2),
        flaws=tuple(FlawView(defect=flaw.defect, text=flaw.text) for flaw in found),
    )


def roots_of(chain: Sequence[x509.Certificate], roots: Sequence[x509.Certificate]) -> list[x509.Certificate]:
    """Every root that a path from the leaf over served certificates leads to, by names and signatures."""
    reached, open_ones = [], [chain[0]]
    for child in open_ones:
        reached += [root for root in roots if root == child or signed(child, root)]
        open_ones += [one for one in chain[:MOST_LINKS] if one not in open_ones and signed(child, one)]
    return list(dict.fromkeys(reached))


def issuer_of(leaf: x509.Certificate, among: Sequence[x509.Certificate]) -> x509.Certificate | None:
    """Who signed it, where it is among them."""
    return next((one for one in among if one != leaf and signed(leaf, one)), None)


def view_certificate(certificate: x509.Certificate) -> CertificateView:
    """What is to be said of one certificate. Raises one of UNREADABLE."""
    hashed = certificate.signature_hash_algorithm
    return CertificateView(
        sha256=certificate.fingerprint(hashes.SHA256()).hex(),
        subject=title(certificate),
        issuer=certificate.issuer.rfc4514_string(),
        serial=f"{certificate.serial_number:x}",
        names=_names(certificate),
        not_before=certificate.not_valid_before_utc,
        not_after=certificate.not_valid_after_utc,
        key=key_kind(certificate),
        key_sha256=_key_sha256(certificate),
        digest=hashed.name if hashed is not None else None,
        is_authority=_is_authority(certificate),
        must_staple=must_staple(certificate),
    )


def key_kind(certificate: x509.Certificate) -> str:
    """Such as rsa-2048, p256, ed25519."""
    key = certificate.public_key()
    if isinstance(key, rsa.RSAPublicKey):
        return f"rsa-{key.key_size}"
    if isinstance(key, ec.EllipticCurvePublicKey):
        return _CURVES.get(key.curve.name, key.curve.name)
    return type(key).__name__.removesuffix("PublicKey").lower()


def must_staple(certificate: x509.Certificate) -> bool:
    """Whether it says that its server sends an OCSP response with every handshake."""
    try:
        features = certificate.extensions.get_extension_for_class(x509.TLSFeature).value
    except x509.ExtensionNotFound:
        return False
    return x509.TLSFeatureType.status_request in features


def _names(certificate: x509.Certificate) -> tuple[str, ...]:
    try:
        known = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return ()
    return (*known.get_values_for_type(x509.DNSName), *map(str, known.get_values_for_type(x509.IPAddress)))


def _key_sha256(certificate: x509.Certificate) -> str:
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    digest = hashes.Hash(hashes.SHA256())
    digest.update(certificate.public_key().public_bytes(serialization.Encoding.DER, form))
    return digest.finalize().hex()


def _is_authority(certificate: x509.Certificate) -> bool:
    try:
        return certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except x509.ExtensionNotFound:
        return False
