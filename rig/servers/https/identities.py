"""The identities a server makes for itself: root, intermediate, and a leaf for each host, kept in its state folder."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path
from typing import Literal

from rig.errors import Misuse
from rig.trust.authority import Authority, Identity, make_root, pem

#: Who issues another identity: who issued the first, a new intermediate under the same root, or all new.
Issuer = Literal["same", "new-intermediate", "new-root"]
_NAME = re.compile(r"[a-z0-9]([a-z0-9._-]{0,250}[a-z0-9])?", re.IGNORECASE)


class HostIdentities:
    """In `folder`: `ca.pem`, and for each host a folder with `chain.pem` and `key.pem` (0600).

    What is there is taken, what is not is made. Keys of authorities are kept as well (0600), so that a server that is
    started again can issue under the same root.
    """

    def __init__(self, folder: Path):
        self.folder = folder
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise Misuse(f"cannot write {folder}: {error.strerror}") from error
        root = _kept(folder / "ca.pem", folder / "ca.key.pem", None) or make_root("Rig Root X1")
        self._root = root
        found = _kept(folder / "intermediate.pem", folder / "intermediate.key.pem", root)
        self._intermediate = found or root.intermediate("Rig Intermediate 1")
        self._others = 1
        self._store(root, "ca")
        self._store(self._intermediate, "intermediate")

    @property
    def ca(self) -> Path:
        """The root's certificate: what clients are to trust."""
        return self.folder / "ca.pem"

    def of(self, host: str) -> Identity:
        """A host's first identity. Raises Misuse for what is no name, and for files that are damaged."""
        folder = self._folder(host)
        if (folder / "chain.pem").exists():
            return Identity.load(folder / "chain.pem", folder / "key.pem")
        identity = self._intermediate.issue(host)
        identity.store(folder / "chain.pem", folder / "key.pem")
        return identity

    def issue(self, host: str, name: str, under: Issuer, valid_days: float) -> tuple[Identity, Path]:
        """Another identity for a host, and where the root's certificate is that it leads to."""
        folder = self._folder(name)
        self._others += 1
        issuer, ca = self._intermediate, self.ca
        if under != "same":
            root = self._root if under == "new-intermediate" else make_root(f"Rig Root X{self._others}")
            issuer = root.intermediate(f"Rig Intermediate {self._others}")
            ca = folder / "ca.pem"
        identity = issuer.issue(host, life=timedelta(days=valid_days))
        identity.store(folder / "chain.pem", folder / "key.pem")
        if under != "same":
            ca.write_bytes(pem(issuer.root))
        return identity, ca

    def _folder(self, name: str) -> Path:
        if not _NAME.fullmatch(name):
            raise Misuse(f"{name!r} is no name of a host or an identity", hint="letters, digits, dots and dashes")
        return self.folder / name.lower()

    def _store(self, authority: Authority, name: str) -> None:
        certificate, key = self.folder / f"{name}.pem", self.folder / f"{name}.key.pem"
        if not key.exists():
            Identity((authority.certificate,), authority.key).store(certificate, key)


def _kept(certificate: Path, key: Path, issuer: Authority | None) -> Authority | None:
    """An authority from its files; None where they are not."""
    if not key.exists():
        return None
    kept = Identity.load(certificate, key)
    return Authority(kept.leaf, kept.key, issuer)
