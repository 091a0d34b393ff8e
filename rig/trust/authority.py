"""Certificate authorities of the rig's own: roots, intermediates, cross-signs, and the identities they issue.

How identities are served is `rig.trust.tls`'s matter; how one takes certificates back, `rig.trust.revocation`'s.
"""

from __future__ import annotations

import ipaddress
import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Literal

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from rig.errors import Misuse
from rig.trust.identity import Identity
from rig.trust.keys import KeyKind, PrivateKey, make_key
from rig.trust.sha1 import signed_with_sha1

#: What certificates are signed with; sha1 stands for what old servers may still show.
Digest = Literal["sha256", "sha384", "sha1"]
#: When what is reproducible begins: before every date that a board's clock can show.
EPOCH = datetime(2020, 1, 1, tzinfo=UTC)
AUTHORITY_LIFE = timedelta(days=20 * 365)
LEAF_LIFE = timedelta(days=90)

_AUTHORITY: Sequence[x509.Extension[x509.ExtensionType]] = (
    x509.Extension(x509.BasicConstraints.oid, True, x509.BasicConstraints(ca=True, path_length=None)),
    x509.Extension(
        x509.KeyUsage.oid,
        True,
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
    ),
)


@dataclass(frozen=True, slots=True, eq=False)
class Authority:
    """A root or an intermediate: its certificate and key, and who is above it. `make_root` makes one.

    Below a root with a seed everything comes again: keys, serial numbers, dates, signatures, and so whole certificates.
    """

    certificate: x509.Certificate
    key: PrivateKey = field(repr=False)
    issuer: Authority | None = field(default=None, repr=False)
    random: random.Random | None = field(default=None, repr=False)

    @property
    def root(self) -> x509.Certificate:
        """The certificate at the top."""
        return self.certificate if self.issuer is None else self.issuer.root

    @property
    def path(self) -> tuple[x509.Certificate, ...]:
        """What goes behind a leaf of this authority: everything up to the root, without it."""
        return () if self.issuer is None else (self.certificate, *self.issuer.path)

    def intermediate(
        self,
        name: str,
        *,
        key: KeyKind | PrivateKey = "p256",
        begins: datetime | None = None,
        life: timedelta = AUTHORITY_LIFE,
        digest: Digest = "sha256",
    ) -> Authority:
        """A new authority under this one."""
        below = random.Random(self.random.random()) if self.random is not None else None
        private = _private(key, below)
        return Authority(self._certify(_named(name), private, begins, life, _AUTHORITY, digest), private, self, below)

    def cross_sign(
        self, other: Authority, *, begins: datetime | None = None, life: timedelta = AUTHORITY_LIFE
    ) -> Authority:
        """The other's name and key under this one: what it issues then leads to this root."""
        certificate = self._certify(other.certificate.subject, other.key, begins, life, _AUTHORITY, "sha256")
        return Authority(certificate, other.key, self, other.random)

    def issue(
        self,
        *names: str,
        common_name: str | None = None,
        key: KeyKind | PrivateKey = "p256",
        begins: datetime | None = None,
        life: timedelta = LEAF_LIFE,
        digest: Digest = "sha256",
        extensions: Sequence[x509.ExtensionType] = (),
    ) -> Identity:
        """An identity of a server: `names` (DNS names and IP addresses) in its SAN, the first as CN where none is told.

        Its chain has the intermediates and not the root, as servers of the field serve it. Raises Misuse.
        """
        private = _private(key, self.random)
        common_name = common_name if common_name is not None else (names[0] if names else "")
        usage: list[x509.Extension[x509.ExtensionType]] = [
            x509.Extension(x509.BasicConstraints.oid, True, x509.BasicConstraints(ca=False, path_length=None)),
            _plain(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH])),
            *map(_plain, extensions),
        ]
        if names:
            alternative = x509.SubjectAlternativeName([_general_name(name) for name in names])
            usage.append(x509.Extension(alternative.oid, not common_name, alternative))
        leaf = self._certify(_named(common_name), private, begins, life, usage, digest)
        return Identity((leaf, *self.path), private, self.root)

    def _certify(
        self,
        subject: x509.Name,
        key: PrivateKey,
        begins: datetime | None,
        life: timedelta,
        extensions: Sequence[x509.Extension[x509.ExtensionType]],
        digest: Digest,
    ) -> x509.Certificate:
        validity = _validity(begins, life, self.random)
        return _sign(self.certificate.subject, self.key, subject, key, validity, extensions, digest, self.random)


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
    private, subject = _private(key, noise), _named(name)
    validity = _validity(begins, life, noise)
    certificate = _sign(subject, private, subject, private, validity, _AUTHORITY, "sha256", noise)
    return Authority(certificate, private, None, noise)


def _private(key: KeyKind | PrivateKey, noise: random.Random | None) -> PrivateKey:
    return make_key(key, noise) if isinstance(key, str) else key


def _plain(extension: x509.ExtensionType) -> x509.Extension[x509.ExtensionType]:
    return x509.Extension(extension.oid, False, extension)


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
    extensions: Sequence[x509.Extension[x509.ExtensionType]],
    digest: Digest,
    noise: random.Random | None,
) -> x509.Certificate:
    # A positive number of at most 20 octets (RFC 5280 §4.1.2.2).
    serial = noise.getrandbits(150) + 1 if noise is not None else x509.random_serial_number()
    builder = x509.CertificateBuilder().issuer_name(issuer).subject_name(subject).public_key(key.public_key())
    builder = builder.serial_number(serial).not_valid_before(validity[0]).not_valid_after(validity[1])
    known = x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key())
    mine = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    for extension in (*extensions, _plain(mine), _plain(known)):
        builder = builder.add_extension(extension.value, extension.critical)
    if digest == "sha1":
        if not isinstance(signer, rsa.RSAPrivateKey):
            raise Misuse("SHA-1 is made under RSA keys only here", hint="an authority with an RSA key")
        return signed_with_sha1(builder.sign(signer, hashes.SHA256()), signer)
    hashed = hashes.SHA384() if signer.key_size == 384 or digest == "sha384" else hashes.SHA256()
    if noise is not None and isinstance(signer, ec.EllipticCurvePrivateKey):
        try:
            return builder.sign(signer, hashed, ecdsa_deterministic=True)
        except (UnsupportedAlgorithm, TypeError):
            pass  # an old library or OpenSSL: signatures alone do not come again
    return builder.sign(signer, hashed)


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
