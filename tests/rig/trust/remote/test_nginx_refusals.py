"""What is refused at a remote nginx, and leaves everything there as it was."""

from __future__ import annotations

from dataclasses import replace

import pytest

from rig.errors import LabFault, Misuse
from rig.trust.authority import make_root
from rig.trust.identity import Identity
from rig.trust.keys import make_key
from rig.trust.remote.judgement import refuse_fewer_names
from rig.trust.remote.nginx import RemoteNginx, SwapFailed
from tests.rig.trust.remote.checks_nginx import changed_remote, is_as_before, plain_files, refused
from tests.rig.trust.remote.nginx_lab import HOST, OTHER_HOST, nginx_lab


@pytest.fixture
def lab(tmp_path):
    with nginx_lab(tmp_path) as running:
        yield running


def test_two_at_once_are_one(lab):
    error = []

    def meanwhile(_path, content):
        with lab.remote() as second:
            error.append(refused(lambda: second.swap(lab.issue())))
        return content

    with changed_remote(lab, meanwhile) as first:
        first.swap(lab.issue())
    assert isinstance(error[0], LabFault)
    assert "somebody else swaps here now" in error[0].message


def test_what_the_whole_configuration_finds_too_weak_is_rolled_back(lab):
    weak = lab.root.issue(HOST, key=make_key("rsa-1024"))
    with lab.remote() as remote:
        error = refused(lambda: remote.swap(weak, accepted=["weak-key"]))
    assert isinstance(error, SwapFailed)
    assert "the whole configuration does not take it" in error.message
    assert "ee key too small" in error.message
    assert is_as_before(lab)


def test_what_nginx_cannot_load_never_becomes_live(lab):
    other = make_key("p256")

    def mixed_up(path, content):
        return Identity((), other).key_pem if path.endswith("key.pem") else content

    with changed_remote(lab, mixed_up) as remote:
        error = refused(lambda: remote.swap(lab.issue()))
    assert "the server's nginx does not take it" in str(error)
    assert "renamed" not in [step.what for step in lab.steps]
    assert is_as_before(lab)


def test_nothing_of_an_upload_that_failed_stays(lab):
    def full(path, content):
        if path.endswith("chain.pem"):
            raise LabFault("the disk is full")
        return content

    with changed_remote(lab, full) as remote:
        assert "the disk is full" in str(refused(lambda: remote.swap(lab.issue())))
    assert is_as_before(lab)


def break_configuration(lab):
    with (lab.web / "nginx.conf").open("a") as file:
        file.write("nonsense;\n")


def change_the_file(lab):
    lab.issue().store(*lab.live())


def link_elsewhere(lab):
    chain, _ = lab.live()
    chain.rename(f"{chain}.archived")
    chain.symlink_to(f"{chain}.archived")


def take_away(lab):
    lab.live()[1].unlink()


def let_everybody_read(lab):
    lab.live()[1].chmod(0o644)


BEFORE = {
    "a key that everybody may read": (let_everybody_read, "is a private key for everybody ("),
    "a configuration that is broken already": (break_configuration, "broken before anything was changed"),
    "files that are not what is served": (change_the_file, "what is served is not what lies on the server"),
    "a file that somebody else's tool renews": (link_elsewhere, "which somebody else keeps"),
    "a file that is not there": (take_away, "the server has no "),
    "a file where the releases belong": (lambda lab: lab.releases().write_text(""), "is no folder"),
}


@pytest.mark.parametrize("case", BEFORE)
def test_a_server_that_is_not_in_order_is_left_alone(lab, case):
    spoil, message = BEFORE[case]
    spoil(lab)
    with lab.remote() as remote:
        error = refused(lambda: remote.swap(lab.issue()))
    assert message in str(error)
    assert not {"uploaded", "renamed", "reloaded"} & {step.what for step in lab.steps}


class OfAnother:
    """A session of somebody whose copies cannot be as the files are."""

    def __init__(self, session):
        self._session = session

    def __getattr__(self, name):
        return getattr(self._session, name)

    def rights(self, path):
        return replace(self._session.rights(path), **({"group": 4711} if ".releases/" in path else {}))


def test_a_copy_that_somebody_could_not_read_is_not_made_live(lab):
    before = plain_files(lab)
    with lab.session() as session:
        error = refused(lambda: RemoteNginx(OfAnother(session), lab.plan()).swap(lab.issue()))
    assert "a copy would be 0:4711 0644: somebody may not be able to read it (hint: log in as root" in str(error)
    assert plain_files(lab) == before
    assert is_as_before(lab)


FORMER_NAMES = {
    "a star that covers it": (["ota.x"], ["*.x"], ""),
    "no star any more": (["*.x", "ota.x"], ["ota.x"], "*.x"),
    "an address": (["ota.x", "192.0.2.1"], ["ota.x"], "192.0.2.1"),
    "more than before, in capitals": (["ota.x"], ["OTA.X", "b.x"], ""),
    "one of two": (["ota.x", "b.x"], ["ota.x", "c.x"], "b.x"),
}


@pytest.mark.parametrize("case", FORMER_NAMES)
def test_names_that_the_live_certificate_is_for_are_missed(case):
    former, new, lost = FORMER_NAMES[case]
    root = make_root("Names")
    error = refused(lambda: refuse_fewer_names(root.issue(*former).leaf, root.issue(*new).leaf))
    assert (f"is not for {lost}, as" in str(error)) if lost else error is None, error


def test_a_dry_run_misses_names_too(lab):
    both = lab.intermediate.issue(HOST, OTHER_HOST)
    with lab.remote() as remote:
        remote.swap(both)
        assert "fewer-names" in str(refused(lambda: remote.look(lab.issue())))
        assert refused(lambda: remote.look(lab.issue(), accepted=["fewer-names"])) is None


def test_an_nginx_that_is_not_on_the_servers_path_is_told(lab):
    with lab.remote(nginx=["nginx-of-nobody"]) as remote:
        error = refused(lambda: remote.swap(lab.issue()))
    assert isinstance(error, Misuse)
    assert "the server finds no nginx-of-nobody (hint: --nginx" in str(error)


def test_a_key_of_another_certificate_is_refused(lab):
    wrong = Identity(lab.issue().chain, make_key("p256"))
    with lab.remote() as remote:
        assert isinstance(refused(lambda: remote.swap(wrong)), Misuse)
    assert not lab.releases().exists()
