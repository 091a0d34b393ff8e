"""The identities a server makes for itself, under authorities that stand in for the public ones, kept in its folder."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

from rig.errors import Misuse
from rig.files import real
from rig.trust.identity import Identity, pem
from rig.trust.recipe import IdentityRecipe
from rig.trust.web_pki import WebPki

ISSUED = "issued"
_NAME = re.compile(r"[a-z0-9]([a-z0-9._-]{0,250}[a-z0-9])?", re.IGNORECASE)


class HostIdentities:
    """In `folder`: `ca.pem`, `trust` with NAME.pem for all that firmware may pin, `authorities` with their keys, for
    each host a folder with `chain.pem` and `key.pem`, and `issued` with one for each identity made since, by its name;
    keys are 0600.

    What is there is taken, what is not is made, so that a server that is started again issues under the same roots.
    """

    def __init__(self, folder: Path):
        self.folder = folder
        self.pki = WebPki.in_folder(folder / "authorities")
        try:
            self.pki.publish(self.trust)
            self.ca.write_bytes(pem(self.pki.certificate("rig-root")))
        except OSError as error:
            raise Misuse(f"cannot write {error.filename}: {error.strerror}") from error

    @property
    def ca(self) -> Path:
        """The root of what nobody asked for otherwise: what clients are to trust."""
        return self.folder / "ca.pem"

    @property
    def trust(self) -> Path:
        """Certificates that firmware pins, by name."""
        return self.folder / "trust"

    def of(self, host: str, recipe: IdentityRecipe | None = None) -> Identity:
        """A host's first identity. Raises Misuse for what is no name, and for files that are damaged."""
        folder = self._folder(host)
        if (folder / "chain.pem").exists():
            return Identity.load(folder / "chain.pem", folder / "key.pem")
        return self._make(host, folder, recipe or IdentityRecipe())

    def issue(self, host: str, name: str, recipe: IdentityRecipe, former: Identity | None = None) -> Identity:
        """Another identity for a host; `former` is whose key the recipe may keep.

        Raises Misuse, for a name that is taken too.
        """
        folder = self._folder(name, ISSUED)
        if folder.exists():
            raise Misuse(f"an identity is called {name} already", hint="swap to it, or name another")
        return self._make(host, folder, recipe, former)

    def issued(self) -> dict[str, Identity]:
        """All that were ever issued, by name. Raises Misuse for files that are damaged."""
        folders = sorted(path.parent for path in self.folder.glob(f"{ISSUED}/*/chain.pem"))
        return {folder.name: Identity.load(folder / "chain.pem", folder / "key.pem") for folder in folders}

    def drop(self, name: str) -> None:
        """Remove an identity that was issued, with its key."""
        shutil.rmtree(self._folder(name, ISSUED), ignore_errors=True)

    def holds(self, file: str) -> bool:
        """Whether a file is one of ours: nobody is to be served our keys."""
        return real(Path(file)).is_relative_to(real(self.folder))

    def _make(self, host: str, folder: Path, recipe: IdentityRecipe, former: Identity | None = None) -> Identity:
        identity = self.pki.issue(host, recipe, former)
        identity.store(folder / "chain.pem", folder / "key.pem")
        return identity

    def _folder(self, name: str, *above: str) -> Path:
        if not _NAME.fullmatch(name) or name.lower() in ("authorities", "trust", ISSUED):
            raise Misuse(f"{name!r} is no name of a host or an identity", hint="letters, digits, dots and dashes")
        return self.folder.joinpath(*above, name.lower())
