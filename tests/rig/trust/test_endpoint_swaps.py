"""What an endpoint shows and how it shakes hands, changed while it runs: identities and settings."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes

from rig.errors import Misuse
from rig.trust.authority import make_root
from rig.trust.tls.context import TlsSettings
from tests.rig.servers.https import checks_https
from tests.rig.servers.https.checks_https import served, shown
from tests.rig.servers.https.https_lab import HOST, OTHER_HOST, https_lab
from tests.rig.trust.remote.test_nginx import SEEN_BY
from tests.rig.trust.tls_clients import V12, V13, mbedtls


@pytest.fixture
def lab(tmp_path):
    with https_lab(tmp_path) as running:
        yield running


SWAPS = [checks_https.new_handshakes_see_the_new_chain, checks_https.running_downloads_end_undisturbed]


@pytest.mark.parametrize("check", SWAPS, ids=lambda check: check.__name__)
def test_a_swap(lab, check):
    check(lab)


def test_a_pinned_intermediate_fails_when_the_issuer_rotates_and_heals_when_it_comes_back(lab):
    """July 2024: the same root, the certificates all valid, and a fleet that pinned the intermediate is cut off."""
    first = lab.server.endpoint.host(HOST).identity
    pinned, root = lab.trust(lab.intermediate), lab.ca
    lab.swap(lab.root.intermediate("Rotated"))
    mbedtls(lab, pinned)
    mbedtls(lab, root)
    lab.call(lab.server.swap, HOST, first)
    mbedtls(lab, pinned)
    handshakes = lab.handshakes(3)
    assert [each["outcome"] for each in handshakes] == ["aborted", "completed", "completed"]
    assert handshakes[0]["alert"] == "unknown_ca"
    assert handshakes[0]["identity"] == handshakes[1]["identity"] != handshakes[2]["identity"]


KINDS = ["rsa-2048", "rsa-3072", "p256", "p384"]


@pytest.mark.parametrize("kind", KINDS)
def test_leaves_of_any_kind_of_key_are_shown_to_devices(lab, kind):
    lab.swap(lab.root.intermediate("Of its kind", key=kind), key=kind)
    mbedtls(lab, lab.ca)
    assert lab.curl("/", "--tlsv1.3").status == 404
    assert [handshake["outcome"] for handshake in lab.handshakes(2)] == ["completed"] * 2


def test_hosts_are_swapped_one_by_one_and_names_choose_them(lab):
    checks_https.hosts_are_chosen_by_name(lab)


@pytest.mark.parametrize("version", [V12, V13])
def test_no_session_is_resumed(lab, version):
    checks_https.no_session_is_resumed(lab, version)


def test_a_context_is_shared_until_it_keeps_many_sessions(tmp_path):
    checks_https.a_shared_context_is_given_up_in_time(tmp_path)


@pytest.mark.parametrize("client", SEEN_BY)
def test_a_foreign_client_sees_exactly_what_is_shown_before_a_swap_and_after_it(lab, client):
    first = lab.server.endpoint.host(HOST).identity
    new = lab.root.intermediate("Rotated", key="rsa-2048").issue(HOST, key="rsa-2048")
    assert seen_by(client, lab) == (first.fingerprint, first.chain)
    new.store(chain := lab.folder / "new.pem", key := lab.folder / "new.key")
    lab.client.swap_files(HOST, chain, key)
    assert seen_by(client, lab) == (new.fingerprint, new.chain)


def seen_by(client, lab):
    """sha256 of the leaf, and the chain, as a client says that it was served."""
    chain = tuple(x509.load_pem_x509_certificate(text.encode()) for text in SEEN_BY[client](lab))
    return chain[0].fingerprint(hashes.SHA256()).hex(), chain


def test_a_swap_to_nonsense_changes_nothing(lab):
    identity = lab.intermediate.issue(HOST)
    wrong = type(identity)(identity.chain, make_root("Other").key)
    with pytest.raises(Misuse, match="does not take"):
        lab.call(lab.server.swap, HOST, wrong)
    with pytest.raises(Misuse, match="no host is called"):
        lab.call(lab.server.swap, "nobody.rig.test", identity)
    assert shown(lab) == served(lab)


# -- settings ----------------------------------------------------------------------------------------------------------


def test_versions_and_suites_are_set_while_it_runs(lab):
    lab.client.ask("tls", host=HOST, maximum="TLSv1.2", ciphers="ECDHE-ECDSA-AES128-GCM-SHA256")
    with lab.dial() as sock:
        assert (sock.version(), sock.cipher()[0]) == ("TLSv1.2", "ECDHE-ECDSA-AES128-GCM-SHA256")
    with lab.dial(OTHER_HOST) as sock:
        assert sock.version() == "TLSv1.3"
    lab.client.ask("tls", host=HOST, minimum="TLSv1.3", maximum="TLSv1.3", ciphers=None)
    with pytest.raises(ssl.SSLError):
        lab.dial(maximum_version=V12)


def test_an_old_server_speaks_tls_1_0(lab):
    lab.client.ask("tls", host=HOST, minimum="TLSv1", maximum="TLSv1")
    assert lab.curl("/", "--tlsv1.0", "--ciphers", "DEFAULT:@SECLEVEL=0").status == 404
    assert lab.handshakes(1)[0]["version"] == "TLSv1"


def test_a_server_that_hangs_in_the_handshake_outlasts_its_client_and_nobody_else(lab):
    lab.client.ask("tls", host=HOST, delay=30)
    assert lab.curl("/", "--max-time", "0.5").exit_status == 28
    (handshake,) = lab.handshakes(1)
    assert (handshake["outcome"], handshake["server_name"]) == ("hung up", HOST)
    assert lab.curl("/", host=OTHER_HOST).status == 404


def test_a_short_delay_is_only_one(lab):
    lab.client.ask("tls", delay=0.2)
    assert lab.curl("/").status == 404
    assert lab.handshakes(1)[0]["seconds"] >= 0.2


NONSENSE = {
    "a version": ({"minimum": "TLSv9"}, "no TLS version"),
    "an empty span of versions": ({"minimum": "TLSv1.3", "maximum": "TLSv1.2"}, "are none"),
    "suites": ({"ciphers": "ROT13"}, "no suites"),
    "a delay": ({"delay": -1}, "cannot be delayed"),
}


@pytest.mark.parametrize("case", NONSENSE)
def test_settings_that_cannot_be_are_misuse(case):
    settings, message = NONSENSE[case]
    with pytest.raises(Misuse, match=message):
        TlsSettings(**settings).check()


def test_keys_are_in_no_file(lab, tmp_path):
    before = {path: path.read_bytes() for path in Path(tmp_path).rglob("*") if path.is_file()}
    lab.swap(lab.intermediate)
    now = {path: path.read_bytes() for path in Path(tmp_path).rglob("*") if path.is_file()}
    assert now == before
    assert not any(b"PRIVATE" in content for content in now.values())
