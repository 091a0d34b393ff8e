"""Named checks of test_mutants about a swap at a remote nginx. Each takes a running lab; `on_nginx` gives it one."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import threading
from contextlib import contextmanager, suppress
from pathlib import Path

from rig.errors import Misuse, RigError
from rig.trust.identity import Identity, load_chain
from rig.trust.remote.nginx import RemoteNginx, SwapFailed
from rig.trust.remote.ssh import SshSession
from tests.rig.installed import installed
from tests.rig.trust.remote.nginx_lab import HOST, OTHER_HOST, SIZE, NginxLab, nginx_lab, nobodys_nginx_lab
from tests.rig.waiting import until


def on_nginx(check):
    def checked(folder):
        with nginx_lab(folder) as lab:
            check(lab)

    return checked


def on_nobodys_nginx(check):
    def checked(_folder):
        with nobodys_nginx_lab() as lab:
            check(lab)

    return checked


def refused(work) -> RigError | None:
    """How it was refused; None when it was not."""
    try:
        work()
    except RigError as error:
        return error
    return None


def der(identity: Identity) -> bytes:
    from cryptography.hazmat.primitives.serialization import Encoding

    return identity.leaf.public_bytes(Encoding.DER)


class WithChanges:
    """A session whose uploads are changed on the way."""

    def __init__(self, session: SshSession, change):
        self._session, self._change = session, change

    def __getattr__(self, name):
        return getattr(self._session, name)

    def put(self, path: str, content: bytes, mode: int) -> None:
        self._session.put(path, self._change(path, content), mode)

    def give(self, path: str, rights) -> None:
        self._change(path, b"")  # a look at it, as it is between one and the other
        self._session.give(path, rights)


@contextmanager
def changed_remote(lab: NginxLab, change, **plan):
    """A remote nginx to which files come changed."""
    with lab.session() as session:
        yield RemoteNginx(WithChanges(session, change), lab.plan(**plan), on_step=lab.steps.append)


def leaf_only(path: str, content: bytes) -> bytes:
    """A chain that loses what stands behind the leaf."""
    end = b"-----END CERTIFICATE-----\n"
    return content.partition(end)[0] + end if path.endswith("chain.pem") else content


def is_as_before(lab: NginxLab) -> bool:
    """Whether the first identity is what is shown, what lies there, and the only one of which anything is left."""
    chain, _key = lab.live()
    store = lab.releases()
    left = {path.name for path in store.iterdir()} - {"lock", "current"} if store.exists() else set()
    kept = {(store / "current").readlink().name} if (store / "current").is_symlink() else set()
    return lab.leaf() == der(lab.first[HOST]) and load_chain(chain) == lab.first[HOST].chain and left == kept


def whose(lab) -> list[tuple[int, int, int]]:
    """Owner, group and mode of what the configuration leads to."""
    return [(seen.st_uid, seen.st_gid, seen.st_mode & 0o7777) for seen in map(os.stat, lab.live())]


def plain_files(lab) -> list[tuple[object, ...]]:
    """All there is to know of the live files themselves; links tell only where they lead."""
    told = []
    for path in lab.live():
        seen = path.lstat()
        what = os.readlink(path) if path.is_symlink() else path.read_bytes()
        told.append((what, seen.st_uid, seen.st_gid, seen.st_mode, int(seen.st_mtime)))
    return told


def links(lab) -> dict[str, str]:
    return {name: (lab.releases() / name).readlink().name for name in ("current", "former")}


def store(lab) -> set[str]:
    return {path.name for path in lab.releases().iterdir()}


# -- checks ------------------------------------------------------------------------------------------------------------


def the_next_handshake_shows_the_new_identity(lab):
    new = lab.issue()
    with lab.remote() as remote:
        former = remote.swap(new)
    assert lab.leaf() == der(new), "a handshake after the swap saw another certificate"
    assert former == lab.first[HOST].fingerprint


def a_reload_that_did_nothing_is_noticed(lab):
    with lab.remote(reload=["true"], seconds=0.5) as remote:
        error = refused(lambda: remote.swap(lab.issue()))
    assert isinstance(error, SwapFailed), "the old chain is still served, and nobody noticed"
    assert error.is_rolled_back
    assert is_as_before(lab)


def a_worker_of_before_is_waited_for(lab):
    """One that stands still has not heard of the reload: once it goes on, the next handshake may be its."""
    standing, waited = lab.workers()[0], []

    def hear(step) -> None:
        if step.what == "renamed":
            os.kill(standing, signal.SIGSTOP)
        if step.what == "waiting":
            waited.append(step.text)
            os.kill(standing, signal.SIGCONT)

    try:
        with lab.session() as session:
            RemoteNginx(session, lab.plan(), on_step=hear).swap(lab.issue())
        assert waited, "a swap was over while a worker of before took connections"
        assert str(standing) in re.findall(r"\d+", waited[0])  # others of before may be waited for as well
        assert standing not in lab.workers()
    finally:
        with suppress(ProcessLookupError):
            os.kill(standing, signal.SIGCONT)


def a_missing_intermediate_is_noticed(lab):
    with changed_remote(lab, leaf_only, seconds=0.5) as remote:
        error = refused(lambda: remote.swap(lab.issue()))
    assert error is not None, "only the leaf is served, and nobody noticed"
    assert "the wrong ones behind it (none)" in error.message


def a_swap_that_failed_is_rolled_back(lab):
    with changed_remote(lab, leaf_only, seconds=0.5) as remote:
        refused(lambda: remote.swap(lab.issue()))
    assert is_as_before(lab), "a swap failed, and what it began was left"


def running_downloads_end_undisturbed(lab):
    into, got = lab.folder / "downloaded", []
    address = ["--resolve", f"{HOST}:{lab.port}:127.0.0.1", f"https://{HOST}:{lab.port}/fw.bin"]
    command = [installed("curl"), "-sS", "--max-time", "30", "--cacert", str(lab.ca), "-o", str(into), *address]
    download = threading.Thread(target=lambda: got.append(subprocess.run(command, capture_output=True, text=True)))
    download.start()
    until(lambda: into.exists() and into.stat().st_size > 0, "the download to begin")
    with lab.remote() as remote:
        remote.swap(lab.issue())
    assert into.stat().st_size < SIZE, "the download was over before the swap was: nothing is proved"
    download.join()
    assert got[0].returncode == 0, f"a download that ran was disturbed by a swap: {got[0].stderr}"
    assert into.read_bytes() == (lab.web / "html" / "fw.bin").read_bytes()


def an_unknown_host_key_is_refused(lab):
    nobody = lab.folder / "known_nobody"
    nobody.write_text("")
    error = refused(lambda: SshSession.connect(lab.plan(known_hosts=nobody).address).close())
    assert isinstance(error, Misuse), "a host key that nobody knows was taken"
    assert "is not known" in error.message


def nobody_else_can_read_a_key(lab):
    modes = []

    def look(path: str, content: bytes) -> bytes:
        modes.extend(mode_of(path) for path in lab.releases().rglob("*") if not path.is_symlink())
        return content

    with changed_remote(lab, look) as remote:
        remote.swap(lab.issue())
    modes += [mode_of(path) for path in (lab.releases(), *lab.releases().rglob("*")) if not path.is_symlink()]
    allowed = {"key.pem": 0o600, "chain.pem": 0o644, "nginx.conf": 0o644}
    wrong = {(name, oct(mode)) for name, kind, mode in modes if mode & ~(0o711 if kind else allowed.get(name, 0o600))}
    assert [name for name, _, _ in modes].count("key.pem") >= 2
    assert not wrong, "others can read what is the owner's"


def who_read_a_key_still_does(lab):
    before = whose(lab)
    for called in (lab.called_by_root, lab.called):  # a test by root notices nothing
        new = lab.issue()
        with lab.remote(nginx=called) as remote:
            error = refused(lambda remote=remote, new=new: remote.swap(new))
        assert error is None, f"an nginx that is not root's was not swapped: {error}"
        assert whose(lab) == before
        assert lab.leaf() == der(new)
    tested = subprocess.run([*lab.called, "-t"], capture_output=True, text=True)
    assert tested.returncode == 0, f"nginx cannot start again: {tested.stderr}"


def a_first_swap_that_failed_leaves_the_files_as_they_were(lab):
    before = plain_files(lab)
    with lab.remote(reload=["false"]) as remote:
        error = refused(lambda: remote.swap(lab.issue()))
    assert isinstance(error, SwapFailed)
    assert error.is_rolled_back
    assert plain_files(lab) == before, "a swap failed, and the live files are not what they were"
    assert is_as_before(lab)
    assert subprocess.run([*lab.called, "-t"], capture_output=True).returncode == 0


def nothing_leads_to_a_copy_that_nginx_does_not_take(lab):
    before, seen = plain_files(lab), []
    refusing = 'case "$*" in */0001-*) echo "[emerg] not this one" >&2; exit 1;; esac; exec "$@"'

    def look(_path: str, content: bytes) -> bytes:
        seen.append(plain_files(lab))
        return content

    with changed_remote(lab, look, nginx=["sh", "-c", refusing, "sh", *lab.called]) as remote:
        error = refused(lambda: remote.swap(lab.issue()))
    assert error is not None, "a copy that nginx does not take went live"
    assert "does not take a copy of what is live: not this one" in error.message
    assert "adopted" not in {step.what for step in lab.steps}
    assert [*seen, plain_files(lab)] == [before] * 2
    assert is_as_before(lab)


def fewer_names_are_refused_unless_that_is_wanted(lab):
    both = lab.intermediate.issue(HOST, OTHER_HOST)
    with lab.remote() as remote:
        remote.swap(both)
        error = refused(lambda: remote.swap(lab.issue()))
        assert isinstance(error, Misuse), "who dials another name of the same files is lost, and nobody was asked"
        assert f"fewer-names: {HOST} is not for {OTHER_HOST}" in error.message
        assert lab.leaf() == der(both)
        assert refused(lambda: remote.swap(lab.issue(), accepted=["fewer-names"])) is None


def mode_of(path: Path) -> tuple[str, bool, int]:
    return path.name, path.is_dir(), path.stat().st_mode & 0o777
