"""What a server shows and can prove: a chain of certificates, and the private key of the first."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization

from rig.errors import Misuse
from rig.files import MOST_PEM, read_user_file, unwritable
from rig.trust.keys import PrivateKey, key_pem, parse_key, write_private


@dataclass(frozen=True, slots=True, eq=False)
class Identity:
    """Certificates as they are served, leaf first, and the leaf's private key.

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
        return key_pem(self.key)

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the leaf, hexadecimal."""
        return self.leaf.fingerprint(hashes.SHA256()).hex()

    def serving(self, *behind: x509.Certificate) -> Identity:
        """The same leaf and key with other certificates behind it: too few, too many, or in the wrong order."""
        return replace(self, chain=(self.leaf, *behind))

    def store(self, chain: Path, key: Path) -> None:
        """Write both as PEM; only the owner can read the key. Raises Misuse."""
        try:
            chain.parent.mkdir(parents=True, exist_ok=True)
            write_private(key, self.key_pem)
            chain.write_bytes(self.chain_pem)
        except OSError as error:
            raise unwritable(error.filename or chain, error) from error

    @classmethod
    def load(cls, chain: Path, key: Path) -> Identity:
        """Read from PEM files. Raises Misuse for what is no chain, no key, or a key of another certificate."""
        return cls.parse(read_user_file(chain, MOST_PEM), read_user_file(key, MOST_PEM), str(chain), str(key))

    @classmethod
    def parse(cls, chain: bytes, key: bytes, chain_source: str = "chain", key_source: str = "key") -> Identity:
        """From PEM; sources are where it is from. Raises Misuse as `load` does."""
        certificates, private = parse_chain(chain, chain_source), parse_key(key, key_source)
        if certificates[0].public_key() != private.public_key():
            raise Misuse(f"{key_source} is not the key of the first certificate of {chain_source}")
        return cls(certificates, private)


def load_chain(path: Path) -> tuple[x509.Certificate, ...]:
    """The certificates of a PEM file, in their order. Raises Misuse where there is none."""
    return parse_chain(read_user_file(path, MOST_PEM), str(path))


def parse_chain(content: bytes, source: str) -> tuple[x509.Certificate, ...]:
    """Certificates from PEM, in their order; `source` is where they are from. Raises Misuse where there is none."""
    try:
        return tuple(x509.load_pem_x509_certificates(content))
    except ValueError as error:
        raise Misuse(f"{source} holds no certificates", hint="PEM, the server's own first") from error


def pem(certificate: x509.Certificate) -> bytes:
    """A certificate as PEM."""
    return certificate.public_bytes(serialization.Encoding.PEM)
