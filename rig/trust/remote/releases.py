"""Identities that lie on a server, each in a folder of its own, and the one link that says which of them is live.

The configuration names two files, and two files cannot be renamed at once: between one rename and the other a restart
would find a key that is not its certificate's. So both become links through one link, `current`, for good; to rename
that is the whole swap, and at no time does the configuration lead to half an identity. How the files become links is
`rig.trust.remote.live_files`'s; who tests, reloads and looks is `rig.trust.remote.nginx`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from cryptography import x509
from cryptography.hazmat.primitives import hashes

from rig.errors import LabFault, Misuse
from rig.trust.identity import Identity
from rig.trust.remote.session import Rights, Session

_RELEASE = re.compile(r"\d{4,}-[0-9a-f]{12}")
_LEFT_BEHIND = re.compile(r"(current|former|swap)\.rig-new")
CHAIN, KEY = "chain.pem", "key.pem"
#: Folders: who may read a file in them is said by the file. Not 0700, since nginx need not run as who logs in.
PASSABLE = 0o711


class Releases:
    """The identities beside `live_chain`, in `live_chain`.releases: each for whom the live files are for.

    `current` links to the live one, `former` to the one before it; `swap` is there while one is under way, and names
    both, so that who finds it knows what a call that died was at.
    """

    def __init__(self, session: Session, live_chain: str):
        self._session = session
        self.folder = f"{live_chain}.releases"

    # -- releases ------------------------------------------------------------------------------------------------------

    def prepare(self) -> None:
        """Make the folder where there is none. Raises LabFault, and Misuse for what is no folder."""
        if self._session.kind(self.folder) is None:
            try:
                self._session.make_folder(self.folder, PASSABLE)
            except LabFault:
                if self._session.kind(self.folder) is None:  # else somebody made it meanwhile
                    raise
        if self._session.kind(self.folder) != "folder":
            raise Misuse(f"{self.folder} on the server is no folder")

    def add(self, identity: Identity, rights: Mapping[str, Rights]) -> str:
        """Upload an identity beside the others, each file for whom `rights` says; returns its name."""
        release = self.make(identity.leaf)
        for name, content in ((KEY, identity.key_pem), (CHAIN, identity.chain_pem)):
            self._session.put(self._file(release, name), content, 0o600)
            self._session.give(self._file(release, name), rights[name])
        self.keep(release)
        return release

    def make(self, leaf: x509.Certificate) -> str:
        """A folder for another one; returns its name."""
        numbers = [int(name.partition("-")[0]) for name in self._session.names(self.folder) if _RELEASE.fullmatch(name)]
        release = f"{max(numbers, default=0) + 1:04}-{leaf.fingerprint(hashes.SHA256()).hex()[:12]}"
        self._session.make_folder(self.path(release), PASSABLE)
        return release

    def keep(self, release: str) -> None:
        """Have its files on the disk before a link leads to them: a server may lose power too."""
        done = self._session.run(["sync", self._file(release, KEY), self._file(release, CHAIN), self.path(release)])
        if done.status:
            raise LabFault(f"sync failed on the server: {done.last_line}")

    def chain(self, release: str) -> tuple[x509.Certificate, ...]:
        """The certificates of one."""
        return self.read_chain(self._file(release, CHAIN))

    def path(self, release: str) -> str:
        """Its folder."""
        return f"{self.folder}/{release}"

    def linked(self, link: str) -> str | None:
        """Which one is `current`, or `former`; None when there is none."""
        path = f"{self.folder}/{link}"
        return self._session.target(path) if self._session.kind(path) == "link" else None

    def point(self, link: str, release: str) -> None:
        """Let `current` or `former` be another one, in one step."""
        self._session.link(f"{self.folder}/{link}", release)

    def unlink(self, link: str) -> None:
        """Take `current` or `former` away."""
        self._session.remove(f"{self.folder}/{link}")

    def prune(self) -> None:
        """Take away all that is neither current nor former: of calls that died, and older ones. Others' files stay."""
        if self._session.kind(self.folder) is None:
            return
        kept = (self.linked("current"), self.linked("former"))
        for name in self._session.names(self.folder):
            if (_RELEASE.fullmatch(name) and name not in kept) or _LEFT_BEHIND.fullmatch(name):
                self._session.remove(f"{self.folder}/{name}")

    # -- a swap under way ----------------------------------------------------------------------------------------------

    def begin(self, former: str, release: str) -> None:
        """Note what is about to be done, before anything is."""
        note = f"{self.folder}/swap"
        self._session.remove(f"{note}.rig-new")
        self._session.put(f"{note}.rig-new", f"{former} {release}\n".encode(), 0o600)
        self._session.rename(f"{note}.rig-new", note)

    def pending(self) -> tuple[str, str] | None:
        """From which to which one a swap was under way that nobody ended; None for none. Raises LabFault."""
        note = f"{self.folder}/swap"
        if self._session.kind(self.folder) is None or self._session.kind(note) is None:
            return None
        names = self._session.read(note).decode(errors="replace").split()
        if len(names) != 2 or not all(_RELEASE.fullmatch(name) for name in names):
            raise LabFault(f"{note} is no note of ours", hint="see what is live, then remove it by hand")
        return names[0], names[1]

    def end(self) -> None:
        """What was noted is done, or undone."""
        self._session.remove(f"{self.folder}/swap")

    # -- files ---------------------------------------------------------------------------------------------------------

    def _file(self, release: str, name: str) -> str:
        return f"{self.folder}/{release}/{name}"

    def read_chain(self, path: str) -> tuple[x509.Certificate, ...]:
        """The certificates of a PEM file on the server. Raises LabFault for what is none."""
        try:
            return tuple(x509.load_pem_x509_certificates(self._session.read(path)))
        except ValueError as error:
            raise LabFault(f"{path} on the server holds no certificates") from error
