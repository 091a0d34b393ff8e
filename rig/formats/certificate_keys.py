"""The keys of certificates and what they have signed: what mbedTLS reads, takes and can verify."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rig.formats.certificate_refusal import Flag
from rig.formats.mbedtls_build import EC_KEY, RSA_KEY, SHORTEST_RSA, MbedTls

if TYPE_CHECKING:
    from cryptography.x509 import Certificate


def is_readable(certificate: Certificate, build: MbedTls) -> bool:
    """Whether its key is of a kind, and on a curve, that this build reads. Raises what the library does for others."""
    from cryptography.hazmat.primitives.asymmetric import ec

    kind = certificate.public_key_algorithm_oid.dotted_string
    if kind != EC_KEY:
        return kind == RSA_KEY
    key = certificate.public_key()
    return isinstance(key, ec.EllipticCurvePublicKey) and key.curve.name in build.known_curves


def is_too_long(certificate: Certificate, build: MbedTls) -> bool:
    """Whether its RSA key is longer than this build computes with."""
    from cryptography.hazmat.primitives.asymmetric import rsa

    key = certificate.public_key()
    return build.longest_rsa is not None and isinstance(key, rsa.RSAPublicKey) and key.key_size > build.longest_rsa


def key_flaw(certificate: Certificate, build: MbedTls) -> Flag:
    """mbedTLS's default profile wants RSA keys of 2048 bits; of the others, those on curves that it takes."""
    from cryptography.hazmat.primitives.asymmetric import ec, rsa

    key = certificate.public_key()
    if isinstance(key, rsa.RSAPublicKey):
        return Flag(0) if key.key_size >= SHORTEST_RSA else Flag.BAD_KEY
    is_taken = isinstance(key, ec.EllipticCurvePublicKey) and key.curve.name in build.curves
    return Flag(0) if is_taken else Flag.BAD_KEY


def digest_flaw(certificate: Certificate, build: MbedTls) -> Flag:
    """Of hashes in signatures its profile wants SHA-2, and which of them this build says."""
    hashed = certificate.signature_hash_algorithm
    return Flag.BAD_MD if hashed is None or hashed.name not in build.hashes else Flag(0)


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
