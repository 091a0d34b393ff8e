"""Identities that lie on a server, each in a folder of its own, and the one link that says which of them is live.

The configuration names two files, and two files cannot be renamed at once: between one rename and the other a restart
would find a key that is not its certificate's. So both become links through one link, `current`, for good; to rename
that is the whole swap, and at no time does the configuration lead to half an identity. Who tests, reloads and looks is
`rig.trust.remote.nginx`.
"""

from __future__ import annotations

import re
from contextlib import suppress

from cryptography import x509
from cryptography.hazmat.primitives import hashes

from rig.errors import LabFault, Misuse
from rig.trust.identity import Identity
from rig.trust.remote.session import Session

_RELEASE = re.compile(r"\d{4,}-[0-9a-f]{12}")
_LEFT_BEHIND = re.compile(r"(current|former|swap)\.new")
CHAIN, KEY = "chain.pem", "key.pem"


class Releases:
    """The identities beside `live_chain`, in `live_chain`.releases, for the owner only (0700, keys 0600).

    `current` links to the live one, `former` to the one before it; `swap` is there while one is under way, and names
    both, so that who finds it knows what a call that died was at.
    """

    def __init__(self, session: Session, live_chain: str, live_key: str):
        self._session = session
        self._live = {live_chain: CHAIN, live_key: KEY}
        self.folder = f"{live_chain}.releases"

    # -- the live files ------------------------------------------------------------------------------------------------

    def is_adopted(self) -> bool:
        """Whether the live files are links of ours. Raises Misuse for files that are not there, or somebody else's."""
        ours = [self._is_ours(path, name) for path, name in self._live.items()]
        return all(ours)

    def adopt(self) -> None:
        """Make the live files links of ours, with what is in them now: each step on the way shows the same identity."""
        if self.is_adopted():
            return
        chain = self.live_chain()
        release = self._make(chain[0])
        for path, name in self._live.items():
            copy = self._file(release, name)
            self._do(["cp", "--", path, copy])
            self._do(["chmod", "600", copy])
        self._keep(release)
        self.point("current", release)
        for path, name in self._live.items():
            self._session.link(path, f"{self.folder}/current/{name}")

    def live_chain(self) -> tuple[x509.Certificate, ...]:
        """The certificates that lie where the configuration looks."""
        return self._read_chain(next(iter(self._live)))

    def _is_ours(self, path: str, name: str) -> bool:
        kind = self._session.kind(path)
        if kind == "file":
            return False
        if kind is None:
            raise Misuse(f"the server has no {path}", hint="as ssl_certificate and ssl_certificate_key name them")
        if kind == "link" and self._session.target(path) == f"{self.folder}/current/{name}":
            return True
        told = f"a link to {self._session.target(path)}" if kind == "link" else f"a {kind}"
        raise Misuse(f"{path} is {told}, which somebody else keeps", hint="let nginx name a file that nobody renews")

    # -- releases ------------------------------------------------------------------------------------------------------

    def prepare(self) -> None:
        """Make the folder where there is none. Raises LabFault, and Misuse for what is no folder."""
        if self._session.kind(self.folder) is None:
            try:
                self._session.make_folder(self.folder)
            except LabFault:
                if self._session.kind(self.folder) is None:  # else somebody made it meanwhile
                    raise
        if self._session.kind(self.folder) != "folder":
            raise Misuse(f"{self.folder} on the server is no folder")

    def add(self, identity: Identity) -> str:
        """Upload an identity beside the others; returns its name. Nothing of it stays when that fails."""
        release = self._make(identity.leaf)
        try:
            self._session.put(self._file(release, KEY), identity.key_pem, 0o600)
            self._session.put(self._file(release, CHAIN), identity.chain_pem, 0o644)
            self._keep(release)
        except BaseException:
            with suppress(LabFault):
                self.remove(release)
            raise
        return release

    def remove(self, release: str) -> None:
        """Take one away."""
        self._session.remove(f"{self.folder}/{release}")

    def chain(self, release: str) -> tuple[x509.Certificate, ...]:
        """The certificates of one."""
        return self._read_chain(self._file(release, CHAIN))

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
        self._session.remove(f"{note}.new")
        self._session.put(f"{note}.new", f"{former} {release}\n".encode(), 0o600)
        self._session.rename(f"{note}.new", note)

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

    def _make(self, leaf: x509.Certificate) -> str:
        numbers = [int(name.partition("-")[0]) for name in self._session.names(self.folder) if _RELEASE.fullmatch(name)]
        release = f"{max(numbers, default=0) + 1:04}-{leaf.fingerprint(hashes.SHA256()).hex()[:12]}"
        self._session.make_folder(f"{self.folder}/{release}")
        return release

    def _file(self, release: str, name: str) -> str:
        return f"{self.folder}/{release}/{name}"

    def _keep(self, release: str) -> None:
        """Have the files on the disk before a link leads to them: a server may lose power too."""
        self._do(["sync", self._file(release, KEY), self._file(release, CHAIN), self.path(release)])

    def _do(self, argv: list[str]) -> None:
        done = self._session.run(argv)
        if done.status:
            raise LabFault(f"{argv[0]} failed on the server: {done.last_words}")

    def _read_chain(self, path: str) -> tuple[x509.Certificate, ...]:
        try:
            return tuple(x509.load_pem_x509_certificates(self._session.read(path)))
        except ValueError as error:
            raise LabFault(f"{path} on the server holds no certificates") from error
