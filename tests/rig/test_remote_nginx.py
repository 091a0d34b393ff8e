"""A remote nginx, real, behind a real sshd: swapped, looked at by foreign clients, and undone when anything fails."""

from __future__ import annotations

import json
import re
import subprocess
from dataclasses import replace
from pathlib import Path

import checks_nginx as checks
import pytest
from checks_nginx import changed_remote, der, is_as_before, links, plain_files, refused
from installed import installed, sslyze
from nginx_lab import HOST, OTHER_HOST, nginx_lab, nobodys_nginx_lab
from waiting import HANGS

from rig.errors import LabFault, Misuse
from rig.trust.authority import make_root
from rig.trust.identity import Identity, pem
from rig.trust.keys import make_key
from rig.trust.remote.judgement import refuse_fewer_names
from rig.trust.remote.nginx import RemoteNginx, SwapFailed


@pytest.fixture
def lab(tmp_path):
    with nginx_lab(tmp_path) as running:
        yield running


CHECKS = [
    checks.the_next_handshake_shows_the_new_identity,
    checks.a_reload_that_did_nothing_is_noticed,
    checks.a_missing_intermediate_is_noticed,
    checks.a_swap_that_failed_is_rolled_back,
    checks.running_downloads_end_undisturbed,
    checks.an_unknown_host_key_is_refused,
    checks.nobody_else_can_read_a_key,
    checks.a_first_swap_that_failed_leaves_the_files_as_they_were,
    checks.nothing_leads_to_a_copy_that_nginx_does_not_take,
    checks.fewer_names_are_refused_unless_that_is_wanted,
]


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_it_holds(lab, check):
    check(lab)


OF_NOBODYS = [checks.who_read_a_key_still_does, checks.a_first_swap_that_failed_leaves_the_files_as_they_were]


@pytest.mark.parametrize("check", OF_NOBODYS, ids=lambda check: check.__name__)
def test_it_holds_of_an_nginx_that_is_not_whose_who_logs_in(check):
    with nobodys_nginx_lab() as lab:
        check(lab)


def test_who_is_in_the_group_of_a_key_reads_the_next_one_and_nobody_else_does():
    with nobodys_nginx_lab() as lab:
        with lab.remote() as remote:
            remote.swap(new := lab.issue())
        _chain, key = lab.live()

        def read_as(user, group):  # by a program: a fork of a process with gRPC's threads may crash
            who = ["setpriv", f"--reuid={user}", f"--regid={group}", "--clear-groups"]
            return subprocess.run([*who, "cat", str(key)], capture_output=True).stdout

        assert read_as("nobody", "nogroup") == new.key_pem
        assert read_as("daemon", "daemon") == b""


def test_the_socket_of_a_rehearsal_has_another_name_each_time_and_does_not_stay(lab):
    sockets = []

    def look(path, content):
        sockets.extend(re.findall(r"unix:(\S+)", content.decode()) if path.endswith(".conf") else [])
        return content

    for _ in range(2):
        with changed_remote(lab, look) as remote:
            remote.swap(lab.issue())
    assert len(set(sockets)) == len(sockets) == 3
    assert not any(Path(socket).exists() for socket in sockets)
    assert Path("/dev/null").is_char_device()


# -- foreign clients ---------------------------------------------------------------------------------------------------


def by_s_client(lab):
    command = [installed("openssl"), "s_client", "-showcerts", "-connect", f"127.0.0.1:{lab.port}", "-servername", HOST]
    done = subprocess.run([*command, "-CAfile", str(lab.ca)], input="", capture_output=True, text=True, timeout=HANGS)
    assert "Verify return code: 0 (ok)" in done.stdout
    return re.findall(r"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----\n", done.stdout, re.S)


def by_curl(lab):
    address = ["--resolve", f"{HOST}:{lab.port}:127.0.0.1", f"https://{HOST}:{lab.port}/small"]
    command = [installed("curl"), "-sS", "--cacert", str(lab.ca), "-o", "/dev/null", "-w", "%{certs}", *address]
    done = subprocess.run(command, capture_output=True, text=True, timeout=HANGS)
    assert done.returncode == 0, done.stderr
    return re.findall(r"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----\n", done.stdout, re.S)


def by_sslyze(lab):
    told = lab.folder / "sslyze.json"
    target = f"{HOST}:{lab.port}{{127.0.0.1}}"
    command = [sslyze(), "--certinfo", "--sni", HOST, f"--json_out={told}", target]
    subprocess.run(command, capture_output=True, timeout=HANGS)
    (server,) = json.loads(told.read_text())["server_scan_results"]
    (deployment,) = server["scan_result"]["certificate_info"]["result"]["certificate_deployments"]
    return [each["as_pem"] for each in deployment["received_certificate_chain"]]


SEEN_BY = {"openssl s_client": by_s_client, "curl": by_curl, "sslyze": by_sslyze}


@pytest.mark.parametrize("client", SEEN_BY)
def test_a_foreign_client_sees_exactly_what_was_swapped_in(lab, client):
    new = lab.issue()
    with lab.remote() as remote:
        remote.swap(new)
    seen = [text.strip() for text in SEEN_BY[client](lab)]
    assert seen == [pem(certificate).decode().strip() for certificate in new.chain]


# -- what is refused, and leaves everything as it was ------------------------------------------------------------------


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


# -- going back --------------------------------------------------------------------------------------------------------


def test_restore_shows_the_former_identity_and_again_the_later_one(lab):
    new = lab.issue()
    with lab.remote() as remote:
        assert "no former identity" in str(refused(remote.restore))
        remote.swap(new)
        assert remote.restore() == new.fingerprint
        assert lab.leaf() == der(lab.first[HOST])
        assert remote.restore() == lab.first[HOST].fingerprint
    assert lab.leaf() == der(new)


def test_the_same_chain_again_changes_nothing(lab):
    new = lab.issue()
    with lab.remote() as remote:
        remote.swap(new)
        before = links(lab)
        assert remote.swap(new) == new.fingerprint
    assert links(lab) == before


def test_another_kind_of_key_is_swapped_in_and_the_other_host_is_not_touched(lab):
    rsa = lab.issue(authority=lab.root.intermediate("RSA", key="rsa-2048"), key="rsa-2048")
    with lab.remote() as remote:
        remote.swap(rsa)
    assert (lab.leaf(), lab.leaf(OTHER_HOST)) == (der(rsa), der(lab.first[OTHER_HOST]))


def test_a_server_with_a_certificate_of_each_kind_is_judged_by_the_one_that_is_swapped(lab):
    both = lab.issue(authority=lab.root.intermediate("RSA", key="rsa-2048"), key="rsa-2048")
    chain, key = lab.store(both, "rsa")
    lab.configure(f"ssl_certificate {chain}; ssl_certificate_key {key};")
    lab.command("reload")
    with lab.remote() as remote:
        remote.swap(new := lab.issue())
    with lab.remote(live_chain=str(chain), live_key=str(key)) as remote:
        remote.swap(lab.issue(authority=lab.root.intermediate("RSA", key="rsa-2048"), key="rsa-2048"))
        assert refused(lambda: remote._await(both.chain, 0.3)) is not None
    assert lab.leaf() == der(new)
