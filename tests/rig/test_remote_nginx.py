"""A remote nginx, real, behind a real sshd: swapped, looked at by foreign clients, and undone when anything fails."""

from __future__ import annotations

import json
import re
import subprocess

import checks_nginx as checks
import pytest
from checks_nginx import changed_remote, der, is_as_before, links, refused
from installed import installed, sslyze
from nginx_lab import HOST, OTHER_HOST, nginx_lab

from rig.errors import LabFault, Misuse
from rig.trust.identity import Identity, pem
from rig.trust.keys import make_key
from rig.trust.remote.nginx import SwapFailed


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
]


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_it_holds(lab, check):
    check(lab)


# -- foreign clients ---------------------------------------------------------------------------------------------------


def by_s_client(lab):
    command = [installed("openssl"), "s_client", "-showcerts", "-connect", f"127.0.0.1:{lab.port}", "-servername", HOST]
    done = subprocess.run([*command, "-CAfile", str(lab.ca)], input="", capture_output=True, text=True, timeout=30)
    assert "Verify return code: 0 (ok)" in done.stdout
    return re.findall(r"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----\n", done.stdout, re.S)


def by_curl(lab):
    address = ["--resolve", f"{HOST}:{lab.port}:127.0.0.1", f"https://{HOST}:{lab.port}/small"]
    command = [installed("curl"), "-sS", "--cacert", str(lab.ca), "-o", "/dev/null", "-w", "%{certs}", *address]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30)
    assert done.returncode == 0, done.stderr
    return re.findall(r"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----\n", done.stdout, re.S)


def by_sslyze(lab):
    told = lab.folder / "sslyze.json"
    target = f"{HOST}:{lab.port}{{127.0.0.1}}"
    command = [sslyze(), "--certinfo", "--sni", HOST, f"--json_out={told}", target]
    subprocess.run(command, capture_output=True, timeout=120)
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


BEFORE = {
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
