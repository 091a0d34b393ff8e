"""Certificate authorities of the rig's own: roots, intermediates, cross-signs, and the identities they issue.

How identities are served is `rig.trust.endpoint`'s matter.
"""

from __future__ import annotations

import ipaddress
import os
import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Literal

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from rig.errors import Misuse

KeyKind = Literal["rsa-2048", "rsa-3072", "rsa-4096", "p256", "p384"]
PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey
_CURVES: dict[str, type[ec.EllipticCurve]] = {"p256": ec.SECP256R1, "p384": ec.SECP384R1}
_ORDERS = {
    "p256": 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551,
    "p384": 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFC7634D81F4372DDF581A0DB248B0A77AECEC196ACCC52973,
}
#: When what is reproducible begins: before every date that a board's clock can show.
EPOCH = datetime(2020, 1, 1, tzinfo=UTC)
AUTHORITY_LIFE = timedelta(days=20 * 365)
LEAF_LIFE = timedelta(days=90)

_Extension = tuple[x509.ExtensionType, bool]
_AUTHORITY: Sequence[_Extension] = (
    (x509.BasicConstraints(ca=True, path_length=None), True),
    (
        x509.KeyUsage(
            digital_signature=True,
            key_cert_sign=True,
            crl_sign=True,
            content_commitment=False,
            key_encipherment=False,
            data_encipherment=False,
            key_agreement=False,
            encipher_only=False,
            decipher_only=False,
        ),
        True,
    ),
)


@dataclass(frozen=True, slots=True, eq=False)
class Identity:
    """What a server shows and can prove: certificates as they are served, leaf first, and the leaf's private key.

    `pin` is the root's certificate where it is known: what a client would have to trust.
    """

    chain: tuple[x509.Certificate, ...]
    key: PrivateKey = field(repr=False)
    pin: x509.Certificate | None = None

    @property
    def leaf(self) -> x509.Certificate:
        """The certificate of the server itself."""
        return self.chain[0]

    @property
    def chain_pem(self) -> bytes:
        """PEM, in the order they are served."""
        return b"".join(pem(certificate) for certificate in self.chain)

    @property
    def key_pem(self) -> bytes:
        """The private key, PKCS 8 without a password."""
        form = serialization.PrivateFormat.PKCS8
        return self.key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption())

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the leaf, hexadecimal."""
        return self.leaf.fingerprint(hashes.SHA256()).hex()

    def store(self, chain: Path, key: Path) -> None:
        """Write both as PEM; only the owner can read the key. Raises Misuse."""
        try:
            chain.parent.mkdir(parents=True, exist_ok=True)
            write_private(key, self.key_pem)
            chain.write_bytes(self.chain_pem)
        except OSError as error:
            raise Misuse(f"cannot write {error.filename}: {error.strerror}") from error

    @classmethod
    def load(cls, chain: Path, key: Path) -> Identity:
        """Read from PEM files. Raises Misuse for what is no chain, no key, or a key of another certificate."""
        try:
            certificates = x509.load_pem_x509_certificates(_read(chain))
        except ValueError as error:
            raise Misuse(f"{chain} holds no certificates", hint="PEM, the server's own first") from error
        private = _load_key(key)
        if certificates[0].public_key() != private.public_key():
            raise Misuse(f"{key} is not the key of the first certificate of {chain}")
        return cls(tuple(certificates), private)


@dataclass(frozen=True, slots=True, eq=False)
class Authority:
    """A root or an intermediate: its certificate and key, and who is above it. `make_root` makes one.

    Below a root with a seed, serial numbers and dates come again; so do ECDSA keys and signatures, and with them whole
    certificates. RSA keys are always new: the library takes no seed for them.
    """

    certificate: x509.Certificate
    key: PrivateKey = field(repr=False)
    issuer: Authority | None = field(default=None, repr=False)
    random: random.Random | None = field(default=None, repr=False)

    @property
    def root(self) -> x509.Certificate:
        """The certificate at the top."""
        return self.certificate if self.issuer is None else self.issuer.root

    def intermediate(
        self,
        name: str,
        *,
        key: KeyKind | PrivateKey = "p256",
        begins: datetime | None = None,
        life: timedelta = AUTHORITY_LIFE,
    ) -> Authority:
        """A new authority under this one."""
        below = random.Random(self.random.random()) if self.random is not None else None
        private = _make_key(key, below)
        return Authority(self._certify(_named(name), private, begins, life, _AUTHORITY), private, self, below)

    def cross_sign(
        self, other: Authority, *, begins: datetime | None = None, life: timedelta = AUTHORITY_LIFE
    ) -> Authority:
        """The other's name and key under this one: what it issues then leads to this root."""
        certificate = self._certify(other.certificate.subject, other.key, begins, life, _AUTHORITY)
        return Authority(certificate, other.key, self, other.random)

    def issue(
        self,
        *names: str,
        common_name: str | None = None,
        key: KeyKind | PrivateKey = "p256",
        begins: datetime | None = None,
        life: timedelta = LEAF_LIFE,
    ) -> Identity:
        """An identity of a server: `names` (DNS names and IP addresses) in its SAN, the first as CN where none is told.

        Its chain has the intermediates and not the root, as servers of the field serve it. Raises Misuse.
        """
        private = _make_key(key, self.random)
        common_name = common_name if common_name is not None else (names[0] if names else "")
        usage: list[_Extension] = [
            (x509.BasicConstraints(ca=False, path_length=None), True),
            (x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), False),
        ]
        if names:
            usage.append((x509.SubjectAlternativeName([_general_name(name) for name in names]), not common_name))
        leaf = self._certify(_named(common_name), private, begins, life, usage)
        return Identity((leaf, *self._served()), private, self.root)

    def _served(self) -> tuple[x509.Certificate, ...]:
        """What goes behind a leaf: everything up to the root, without it."""
        return () if self.issuer is None else (self.certificate, *self.issuer._served())

    def _certify(
        self,
        subject: x509.Name,
        key: PrivateKey,
        begins: datetime | None,
        life: timedelta,
        extensions: Sequence[_Extension],
    ) -> x509.Certificate:
        name = self.certificate.subject
        return _sign(name, self.key, subject, key, _validity(begins, life, self.random), extensions, self.random)


def make_root(
    name: str = "Rig Root X1",
    *,
    key: KeyKind | PrivateKey = "p256",
    seed: int | None = None,
    begins: datetime | None = None,
    life: timedelta = AUTHORITY_LIFE,
) -> Authority:
    """A new root authority. Raises Misuse for a kind of key that is not made here."""
    noise = random.Random(f"{name} {seed}") if seed is not None else None
    private, subject = _make_key(key, noise), _named(name)
    certificate = _sign(subject, private, subject, private, _validity(begins, life, noise), _AUTHORITY, noise)
    return Authority(certificate, private, None, noise)


def _make_key(kind: KeyKind | PrivateKey, noise: random.Random | None) -> PrivateKey:
    if not isinstance(kind, str):
        return kind
    if kind in _CURVES:
        curve = _CURVES[kind]()
        if noise is None:
            return ec.generate_private_key(curve)
        return ec.derive_private_key(noise.randrange(1, _ORDERS[kind]), curve)
    if kind not in ("rsa-2048", "rsa-3072", "rsa-4096"):
        raise Misuse(f"no key is of kind {kind!r}", hint="one of rsa-2048, rsa-3072, rsa-4096, p256, p384")
    return rsa.generate_private_key(65537, int(kind[4:]))


def _validity(begins: datetime | None, life: timedelta, noise: random.Random | None) -> tuple[datetime, datetime]:
    """Where it is not told: from a day ago, so that clocks that are late take it; with a seed always the same."""
    if begins is None:
        begins = EPOCH if noise is not None else datetime.now(UTC) - timedelta(days=1)
    return begins, begins + life


def _sign(
    issuer: x509.Name,
    signer: PrivateKey,
    subject: x509.Name,
    key: PrivateKey,
    validity: tuple[datetime, datetime],
    extensions: Sequence[_Extension],
    noise: random.Random | None,
) -> x509.Certificate:
    # A positive number of at most 20 octets (RFC 5280 §4.1.2.2).
    serial = noise.getrandbits(150) + 1 if noise is not None else x509.random_serial_number()
    builder = x509.CertificateBuilder().issuer_name(issuer).subject_name(subject).public_key(key.public_key())
    builder = builder.serial_number(serial).not_valid_before(validity[0]).not_valid_after(validity[1])
    known = x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key())
    mine = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    for extension, critical in (*extensions, (mine, False), (known, False)):
        builder = builder.add_extension(extension, critical)
    digest = hashes.SHA384() if signer.key_size == 384 else hashes.SHA256()
    if noise is not None and isinstance(signer, ec.EllipticCurvePrivateKey):
        try:
            return builder.sign(signer, digest, ecdsa_deterministic=True)
        except (UnsupportedAlgorithm, TypeError):
            pass  # an old library or OpenSSL: signatures alone do not come again
    return builder.sign(signer, digest)


def pem(certificate: x509.Certificate) -> bytes:
    """A certificate as PEM."""
    return certificate.public_bytes(serialization.Encoding.PEM)


def write_private(path: Path, content: bytes) -> None:
    """Write a file that only its owner can read, whatever was there. Raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(content)


def _named(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)] if common_name else [])


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        pass
    try:
        return x509.DNSName(name)
    except ValueError as error:
        raise Misuse(f"a certificate cannot name {name!r}", hint="write it in ASCII") from error


def _load_key(path: Path) -> PrivateKey:
    try:
        key = serialization.load_pem_private_key(_read(path), None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise Misuse(f"{path} holds no private key without a password", hint="PEM") from error
    if not isinstance(key, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey):
        raise Misuse(f"{path}: a server's key is RSA or ECDSA here")
    return key


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise Misuse(f"cannot read {path}: {error.strerror}") from error
