"""Certificates signed with SHA-1, as old servers still show them: the library makes none any more."""

from __future__ import annotations

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

#: Object identifiers of RSA signatures, as DER: they differ in their last byte only.
SHA256_WITH_RSA = bytes.fromhex("06092a864886f70d01010b")
SHA1_WITH_RSA = bytes.fromhex("06092a864886f70d010105")


def signed_with_sha1(certificate: x509.Certificate, signer: rsa.RSAPrivateKey) -> x509.Certificate:
    """The same certificate, which is signed with SHA-256 under `signer`, signed with SHA-1."""
    body = certificate.tbs_certificate_bytes.replace(SHA256_WITH_RSA, SHA1_WITH_RSA, 1)
    algorithm = _der(0x30, SHA1_WITH_RSA + b"\x05\x00")
    signature = _der(0x03, b"\x00" + signer.sign(body, padding.PKCS1v15(), hashes.SHA1()))
    return x509.load_der_x509_certificate(_der(0x30, body + algorithm + signature))


def _der(tag: int, content: bytes) -> bytes:
    """An element of DER (X.690 §8.1)."""
    length = len(content)
    if length < 0x80:
        return bytes([tag, length]) + content
    size = length.to_bytes((length.bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 | len(size)]) + size + content
