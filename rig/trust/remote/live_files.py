"""The two files that a configuration names: plain ones at first, then links to the live release; and back again.

Whoever could read them before can read what takes their place: owner, group and mode are theirs, and folders on the way
let everybody pass and nobody look. What a release is, is `rig.trust.remote.releases`'s.
"""

from __future__ import annotations

from contextlib import suppress

from cryptography import x509

from rig.errors import LabFault, Misuse
from rig.trust.remote.releases import CHAIN, KEY, Releases
from rig.trust.remote.session import Rights, Session

OTHERS = 0o007


class LiveFiles:
    """`live_chain` and `live_key` on a server, as `ssl_certificate` and `ssl_certificate_key` name them."""

    def __init__(self, session: Session, releases: Releases, live_chain: str, live_key: str):
        self._session, self._releases = session, releases
        self._names = {live_chain: CHAIN, live_key: KEY}

    def chain(self) -> tuple[x509.Certificate, ...]:
        """The certificates that lie where the configuration looks."""
        return self._releases.read_chain(next(iter(self._names)))

    def rights(self) -> dict[str, Rights]:
        """Whose they are, by the names they have in a release. Raises Misuse for a key that everybody may read."""
        rights = {name: self._session.rights(path) for path, name in self._names.items()}
        if rights[KEY].mode & OTHERS:
            path = next(path for path, name in self._names.items() if name == KEY)
            raise Misuse(
                f"{path} on the server is a private key for everybody ({rights[KEY]})",
                hint=f"chmod o= {path}, and see that nginx still takes it",
            )
        return rights

    def is_adopted(self) -> bool:
        """Whether they are links of ours. Raises Misuse for files that are not there, or somebody else's links."""
        return not self._plain()

    def copy(self) -> str:
        """What is in them now, as a new release that nothing leads to yet; returns its name.

        Raises LabFault where a copy cannot be its owner's and group's as the file is, since somebody may need that.
        """
        rights = self.rights()
        release = self._releases.make(self.chain()[0])
        for path, name in self._names.items():
            copied = f"{self._releases.path(release)}/{name}"
            self._copy(path, copied, rights[name])
        self._releases.keep(release)
        return release

    def lead_to(self, release: str) -> None:
        """Make them links, by way of `current`: each step shows the same identity, since `release` is a copy."""
        plain = self._plain()
        self._releases.point("current", release)
        for path in plain:
            self._session.link(path, self._link(path))

    def is_half_way(self) -> bool:
        """Whether they are links, or one is, and no swap came about since: then they are to be plain again."""
        return self._releases.linked("current") is not None and self._releases.linked("former") is None

    def put_back(self) -> None:
        """Make them plain files again, with what is live now, as they were; again when a call for this died."""
        current = self._releases.linked("current")
        if current is None:
            return
        for path, name in self._names.items():
            if path in self._plain():
                continue
            kept = f"{self._releases.path(current)}/{name}"
            beside = f"{path}.rig-plain"
            self._session.remove(beside)
            self._copy(kept, beside, self._session.rights(kept))
            self._session.rename(beside, path)
        self._releases.unlink("current")

    def _plain(self) -> list[str]:
        return [path for path in self._names if not self._is_ours(path)]

    def _is_ours(self, path: str) -> bool:
        kind = self._session.kind(path)
        if kind == "file":
            return False
        if kind is None:
            raise Misuse(f"the server has no {path}", hint="as ssl_certificate and ssl_certificate_key name them")
        if kind == "link" and self._session.target(path) == self._link(path):
            return True
        what = f"a link to {self._session.target(path)}" if kind == "link" else f"a {kind}"
        raise Misuse(f"{path} is {what}, which somebody else keeps", hint="let nginx name a file that nobody renews")

    def _link(self, path: str) -> str:
        return f"{self._releases.folder}/current/{self._names[path]}"

    def _copy(self, path: str, copied: str, rights: Rights) -> None:
        """A copy that its readers and nobody else can read, now and at any time while it is made."""
        done = self._session.run(["cp", "-p", "--", path, copied])
        if done.status:
            raise LabFault(f"cannot copy {path} on the server: {done.last_line}")
        if (given := self._session.rights(copied)) != rights:
            with suppress(LabFault):
                self._session.remove(copied)
            text = f"{path} is {rights} on the server, and a copy would be {given}: somebody may not be able to read it"
            raise LabFault(text, hint="log in as root, or as its owner, in its group")
