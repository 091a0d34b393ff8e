"""How an authority takes certificates back: CRLs, OCSP responses, and what a certificate says of where they are."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.x509 import ocsp
from cryptography.x509.oid import AuthorityInformationAccessOID

from rig.errors import Misuse
from rig.trust.authority import Authority

#: For how long a CRL or an OCSP response holds.
LIFE = timedelta(days=7)


def must_staple() -> x509.TLSFeature:
    """The server promises to send an OCSP response with every handshake."""
    return x509.TLSFeature([x509.TLSFeatureType.status_request])


def revocation_at(crl: str | None = None, ocsp: str | None = None) -> list[x509.ExtensionType]:
    """Where a certificate's CRL and its OCSP responder are, as URLs."""
    extensions: list[x509.ExtensionType] = []
    if crl is not None:
        place = x509.DistributionPoint([x509.UniformResourceIdentifier(crl)], None, None, None)
        extensions.append(x509.CRLDistributionPoints([place]))
    if ocsp is not None:
        where = x509.UniformResourceIdentifier(ocsp)
        access = x509.AccessDescription(AuthorityInformationAccessOID.OCSP, where)
        extensions.append(x509.AuthorityInformationAccess([access]))
    return extensions


@dataclass(slots=True)
class Revocations:
    """What one authority has taken back: serial numbers, and when."""

    authority: Authority
    revoked: dict[int, datetime] = field(default_factory=dict)

    def revoke(self, certificate: x509.Certificate, at: datetime | None = None) -> None:
        """Take a certificate back. Raises Misuse for one of another authority."""
        if certificate.issuer != self.authority.certificate.subject:
            raise Misuse(f"{certificate.subject.rfc4514_string()} was not issued by this authority")
        self.revoked[certificate.serial_number] = at or datetime.now(UTC)

    def crl(self, at: datetime | None = None) -> bytes:
        """The list of what is taken back, DER."""
        at = at or datetime.now(UTC)
        builder = x509.CertificateRevocationListBuilder().issuer_name(self.authority.certificate.subject)
        builder = builder.last_update(at).next_update(at + LIFE)
        for serial, when in self.revoked.items():
            entry = x509.RevokedCertificateBuilder().serial_number(serial).revocation_date(when).build()
            builder = builder.add_revoked_certificate(entry)
        crl = builder.sign(self.authority.key, hashes.SHA256())
        return crl.public_bytes(serialization.Encoding.DER)

    def response(self, certificate: x509.Certificate, at: datetime | None = None) -> bytes:
        """The OCSP response about a certificate, DER: what a server staples."""
        asked = ocsp.OCSPRequestBuilder().add_certificate(certificate, self.authority.certificate, hashes.SHA1())
        return self.answer(asked.build().public_bytes(serialization.Encoding.DER), at)

    def answer(self, request: bytes, at: datetime | None = None) -> bytes:
        """The response to a client's OCSP request, DER; what is no request gets a refusal."""
        try:
            asked = ocsp.load_der_ocsp_request(request)
        except ValueError:
            refusal = ocsp.OCSPResponseBuilder.build_unsuccessful(ocsp.OCSPResponseStatus.MALFORMED_REQUEST)
            return refusal.public_bytes(serialization.Encoding.DER)
        at, when = at or datetime.now(UTC), self.revoked.get(asked.serial_number)
        builder = ocsp.OCSPResponseBuilder().add_response_by_hash(
            asked.issuer_name_hash,
            asked.issuer_key_hash,
            asked.serial_number,
            asked.hash_algorithm,
            ocsp.OCSPCertStatus.GOOD if when is None else ocsp.OCSPCertStatus.REVOKED,
            at,
            at + LIFE,
            when,
            None if when is None else x509.ReasonFlags.key_compromise,
        )
        builder = builder.responder_id(ocsp.OCSPResponderEncoding.HASH, self.authority.certificate)
        return builder.sign(self.authority.key, hashes.SHA256()).public_bytes(serialization.Encoding.DER)
