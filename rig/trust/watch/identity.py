"""What is remembered of a chain that an address showed: enough to say later what became another."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from datetime import datetime

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from pydantic import AwareDatetime, BaseModel, ConfigDict

from rig.trust.soundness import title


class KnownIdentity(BaseModel):
    """Digests are SHA-256, hexadecimal: `chain` over all certificates as they were sent, `key` over the public key."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    chain: str
    leaf: str
    key: str
    subject: str
    issuer: str
    begins: AwareDatetime
    ends: AwareDatetime
    #: When the first certificate of the chain ends, whichever it is.
    chain_ends: AwareDatetime

    @classmethod
    def of(cls, chain: Sequence[x509.Certificate]) -> KnownIdentity:
        """The identity of a chain, leaf first. Raises what the library does for certificates that break rules."""
        leaf, form = chain[0], serialization.PublicFormat.SubjectPublicKeyInfo
        public = leaf.public_key().public_bytes(serialization.Encoding.DER, form)
        return cls(
            chain=hashlib.sha256(b"".join(one.fingerprint(hashes.SHA256()) for one in chain)).hexdigest(),
            leaf=sha256_of(leaf),
            key=hashlib.sha256(public).hexdigest(),
            subject=title(leaf),
            issuer=issuer_title(leaf),
            begins=leaf.not_valid_before_utc,
            ends=leaf.not_valid_after_utc,
            chain_ends=min(one.not_valid_after_utc for one in chain),
        )

    def __str__(self) -> str:
        return f"{self.subject} by {self.issuer} until {_day(self.ends)} (sha256 {self.leaf[:16]}…)"

    def differences(self, former: KnownIdentity) -> Iterator[str]:
        """How it differs from one before it, for people."""
        if self.leaf == former.leaf:
            yield "the same certificate with others behind it"
            return
        yield "the key is the same" if self.key == former.key else "the key is another"
        if self.issuer != former.issuer:
            yield f"the issuer was {former.issuer}"
        if self.subject != former.subject:
            yield f"the subject was {former.subject}"


def sha256_of(certificate: x509.Certificate) -> str:
    """A certificate's fingerprint, hexadecimal."""
    return certificate.fingerprint(hashes.SHA256()).hex()


def issuer_title(certificate: x509.Certificate) -> str:
    """What the issuer is called, short."""
    common = certificate.issuer.get_attributes_for_oid(x509.NameOID.COMMON_NAME)
    return str(common[0].value) if common else certificate.issuer.rfc4514_string() or "nobody"


def _day(when: datetime) -> str:
    return f"{when:%Y-%m-%d}"
