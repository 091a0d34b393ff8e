"""A remote nginx, real, behind a real sshd: swapped, looked at by foreign clients, and undone when anything fails."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import pytest

from rig.trust.identity import pem
from tests.rig.installed import installed, sslyze
from tests.rig.trust.remote import checks_nginx as checks
from tests.rig.trust.remote.checks_nginx import changed_remote, der, links, refused
from tests.rig.trust.remote.nginx_lab import HOST, OTHER_HOST, nginx_lab, nobodys_nginx_lab
from tests.rig.waiting import HANGS


@pytest.fixture
def lab(tmp_path):
    with nginx_lab(tmp_path) as running:
        yield running


CHECKS = [
    checks.the_next_handshake_shows_the_new_identity,
    checks.a_reload_that_did_nothing_is_noticed,
    checks.a_worker_of_before_is_waited_for,
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
