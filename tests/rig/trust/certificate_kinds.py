"""Certificates of every kind that a server may show: keys, signatures and names that some clients do not take."""

from __future__ import annotations

import functools
import ipaddress
import subprocess
import tempfile
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.x509.oid import CertificatePoliciesOID, ExtendedKeyUsageOID, NameOID

from rig.trust.identity import pem
from rig.trust.keys import key_pem
from rig.trust.sha1 import signed_with_sha1
from tests.rig.installed import installed

HOST = "ota.rig.test"
NOW = datetime.now(UTC)
CURVES = {
    "p192": ec.SECP192R1, "p224": ec.SECP224R1, "p256": ec.SECP256R1, "p384": ec.SECP384R1, "p521": ec.SECP521R1,
    "k256": ec.SECP256K1, "bp256": ec.BrainpoolP256R1, "bp384": ec.BrainpoolP384R1, "bp512": ec.BrainpoolP512R1,
}  # fmt: skip
AUTHORITY = (x509.BasicConstraints(ca=True, path_length=None),)
EXTENSIONS = {
    "": (),
    "constraints of names": (x509.NameConstraints([x509.DNSName("rig.test")], None),),
    "an unknown one": (x509.UnrecognizedExtension(x509.ObjectIdentifier("1.3.6.1.4.1.99999.1"), b"\x05\x00"),),
    "any policy": (x509.CertificatePolicies([x509.PolicyInformation(CertificatePoliciesOID.ANY_POLICY, None)]),),
    "a policy": (x509.CertificatePolicies([x509.PolicyInformation(x509.ObjectIdentifier("2.23.140.1.2.1"), None)]),),
    "usages": (x509.KeyUsage(True, *[False] * 8),),
}
FOR_SERVERS = (
    x509.BasicConstraints(ca=False, path_length=None),
    x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]),
)


@dataclass(frozen=True)
class Kind:
    """A leaf's key and names, and how its issuer signs; the issuer is an intermediate under a root of P-256."""

    key: str = "p256"
    issuer: str = "p256"
    digest: str = "sha256"
    pss: bool = False
    names: tuple[str, ...] = (HOST,)
    common_name: str = HOST
    #: One more extension of the leaf's, and whether it is critical; and one of its issuer's, that is.
    extension: str = ""
    critical: bool = True
    above: str = ""


@dataclass(frozen=True)
class Made:
    """As an identity is stored for a server; its key may be of a kind that we make no identities of."""

    chain: tuple[x509.Certificate, ...]
    private: bytes = field(repr=False)

    @property
    def leaf(self) -> x509.Certificate:
        return self.chain[0]

    def store(self, chain: Path, key: Path) -> None:
        chain.write_bytes(b"".join(map(pem, self.chain)))
        key.write_bytes(self.private)


@functools.cache
def key(kind: str, number: int = 0) -> Any:
    """A private key; equal words give the same one."""
    if kind in CURVES:
        return ec.generate_private_key(CURVES[kind]())
    if kind == "ed25519":
        return ed25519.Ed25519PrivateKey.generate()
    return rsa.generate_private_key(65537, int(kind.removeprefix("rsa-")))


@functools.cache
def root() -> x509.Certificate:
    return _certified(
        _named("Kinds Root"), key("p256", 1).public_key(), _named("Kinds Root"), Kind(), AUTHORITY, key("p256", 1)
    )


@functools.cache
def issuer(kind: str, extension: str = "") -> x509.Certificate:
    subject, public, extended = _named(f"Issuer {kind}"), key(kind, 2).public_key(), Kind(extension=extension)
    return _certified(subject, public, root().subject, extended, AUTHORITY, key("p256", 1))


@functools.cache
def made(kind: Kind) -> Made:
    """What a server shows: a leaf and its issuer."""
    above, extensions = issuer(kind.issuer, kind.above), list(FOR_SERVERS)
    if kind.names:
        extensions.append(x509.SubjectAlternativeName([_general(one) for one in kind.names]))
    if kind.key == "rsa-pss":
        return _of_pss_alone(kind, above)
    own = key(kind.key)
    leaf = _certified(_named(kind.common_name), own.public_key(), above.subject, kind, extensions, key(kind.issuer, 2))
    return Made((leaf, above), key_pem(own))


def _of_pss_alone(kind: Kind, above: x509.Certificate) -> Made:
    """A key that says of itself that it signs by RSASSA-PSS: only OpenSSL's own command makes one."""
    with tempfile.TemporaryDirectory() as made_in:
        folder = Path(made_in)
        (folder / "ca.pem").write_bytes(pem(above))
        (folder / "ca.key").write_bytes(key_pem(key(kind.issuer, 2)))
        (folder / "ext").write_text(f"subjectAltName=DNS:{HOST}\nextendedKeyUsage=serverAuth\n")
        for words in (
            "genpkey -algorithm RSA-PSS -pkeyopt rsa_keygen_bits:2048 -out key.pem",
            f"req -new -key key.pem -subj /CN={HOST} -out request.pem",
            "x509 -req -in request.pem -CA ca.pem -CAkey ca.key -CAcreateserial -days 90 -extfile ext -out leaf.pem",
        ):
            subprocess.run([installed("openssl"), *words.split()], cwd=folder, capture_output=True, check=True)
        leaf = x509.load_pem_x509_certificate((folder / "leaf.pem").read_bytes())
        return Made((leaf, above), (folder / "key.pem").read_bytes())


def _general(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _named(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)] if common else [])


def _certified(subject, public, above, how: Kind, extensions, signer) -> x509.Certificate:
    builder = x509.CertificateBuilder().subject_name(subject).issuer_name(above).public_key(public)
    builder = builder.serial_number(x509.random_serial_number())
    builder = builder.not_valid_before(NOW - timedelta(days=1)).not_valid_after(NOW + timedelta(days=90))
    for one in extensions:
        builder = builder.add_extension(one, critical=False)
    for one in EXTENSIONS[how.extension]:
        builder = builder.add_extension(one, critical=how.critical)
    if isinstance(signer, ed25519.Ed25519PrivateKey):
        return builder.sign(signer, None)
    if how.digest == "sha1":
        return signed_with_sha1(builder.sign(signer, hashes.SHA256()), signer)
    hashed = getattr(hashes, how.digest.upper())()
    if how.pss:
        return builder.sign(signer, hashed, rsa_padding=padding.PSS(padding.MGF1(hashed), padding.PSS.DIGEST_LENGTH))
    return builder.sign(signer, hashed)
