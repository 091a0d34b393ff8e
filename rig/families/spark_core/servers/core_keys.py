"""Which Cores a cloud knows: the public key of each in a folder, `<24 hex digits>.pub.pem`."""

from __future__ import annotations

import re
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from rig.errors import Misuse
from rig.families.spark_core.trust.core_key import CORE_BITS, EXPONENT, reads_right
from rig.files import MOST_PEM, is_there, make_folder, read_user_file, writing
from rig.limits import refuse_more

_CORE_ID = re.compile(r"[0-9a-f]{24}")


def checked_core_id(text: str) -> str:
    """A Core's id in lower case. Raises Misuse."""
    core_id = text.lower()
    if not _CORE_ID.fullmatch(core_id):
        raise Misuse(f"{text!r} is no Core's id", hint="24 hex digits")
    return core_id


class CoreKeys:
    """The folder; keys are read when a Core introduces itself, so a file that is added counts at once."""

    def __init__(self, folder: Path):
        self.folder = folder
        make_folder(folder)

    def known(self) -> list[str]:
        """The ids of all Cores that have a key here, sorted."""
        names = (path.name.removesuffix(".pub.pem") for path in self.folder.glob("*.pub.pem"))
        return sorted(name for name in names if _CORE_ID.fullmatch(name))

    def find(self, core_id: str) -> rsa.RSAPublicKey | None:
        """The key of a Core; None for one that nobody knows. Raises Misuse for a file that holds none for a Core."""
        path = self.folder / f"{checked_core_id(core_id)}.pub.pem"
        return read_core_public_key(read_user_file(path, MOST_PEM), str(path)) if is_there(path) else None

    def add(self, core_id: str, content: bytes) -> None:
        """Remember a Core's key, from the public half or from the pair. Raises Misuse for one that no Core reads."""
        key = read_core_public_key(content, core_id)
        path = self.folder / f"{checked_core_id(core_id)}.pub.pem"
        if not path.exists():
            refuse_more(self.known(), "Cores")
        form = serialization.PublicFormat.SubjectPublicKeyInfo
        fresh = path.with_suffix(".new")
        with writing(path):
            fresh.unlink(missing_ok=True)  # it may be a link to somewhere else
            fresh.write_bytes(key.public_bytes(serialization.Encoding.PEM, form))
            fresh.replace(path)


def read_core_public_key(content: bytes, name: str) -> rsa.RSAPublicKey:
    """The public key in a file: of a pair, only when a Core reads that right. Raises Misuse."""
    if b"PRIVATE KEY" in content or content[:2] == b"\x30\x82":
        load = serialization.load_pem_private_key if b"-----" in content else serialization.load_der_private_key
        try:
            pair = load(content, None)
        except (ValueError, TypeError) as error:
            raise Misuse(f"{name}: no private key that can be read") from error
        if not isinstance(pair, rsa.RSAPrivateKey) or pair.key_size != CORE_BITS or not reads_right(pair):
            raise Misuse(
                f"{name}: a Core reads this key wrong", hint="RSA-1024 with every number of full width: make another"
            )
        return pair.public_key()
    load_public = serialization.load_pem_public_key if b"-----" in content else serialization.load_der_public_key
    try:
        key = load_public(content)
    except ValueError as error:
        raise Misuse(f"{name}: no public key") from error
    if not isinstance(key, rsa.RSAPublicKey) or key.key_size != CORE_BITS or key.public_numbers().e != EXPONENT:
        raise Misuse(f"{name}: a Core has RSA-{CORE_BITS} with exponent {EXPONENT} only")
    return key
