"""Identities are what OpenSSL takes for them, come again with their seed, and keep their keys to themselves."""

from __future__ import annotations

import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from rig.errors import Misuse
from rig.families.spark_core.trust.server_key import make_server_key, public_der
from rig.trust.authority import make_root
from rig.trust.identity import Identity, pem
from tests.rig.installed import installed

NAME = "ota.rig.test"
KINDS = ["rsa-2048", "rsa-3072", "p256", "p384"]


def verify(folder, identity, anchor, *words) -> str:
    """What `openssl verify` says of an identity's chain."""
    (folder / "anchor.pem").write_bytes(pem(anchor))
    (folder / "chain.pem").write_bytes(identity.chain_pem)
    command = [installed("openssl"), "verify", *words, "-verify_hostname", NAME, "-CAfile", "anchor.pem"]
    done = subprocess.run(
        [*command, "-untrusted", "chain.pem", "chain.pem"], cwd=folder, capture_output=True, text=True
    )
    return done.stdout + done.stderr


@pytest.mark.parametrize("kind", KINDS)
def test_a_chain_of_any_kind_of_key_is_one(tmp_path, kind):
    root = make_root("Root", key=kind)
    identity = root.intermediate("Intermediate", key=kind).issue(NAME, "127.0.0.1", key=kind)
    assert "OK" in verify(tmp_path, identity, root.certificate)
    assert len(identity.chain) == 2, "the root is not served"
    assert identity.pin == root.certificate


def test_another_root_of_the_same_name_is_not_taken(tmp_path):
    identity = make_root("Root").issue(NAME)
    assert "error" in verify(tmp_path, identity, make_root("Root").certificate)


def test_an_intermediate_as_the_pin_takes_only_what_is_under_it(tmp_path):
    root = make_root("Root")
    first, second = root.intermediate("R3"), root.intermediate("R10")
    assert "OK" in verify(tmp_path, first.issue(NAME), first.certificate, "-partial_chain")
    assert "error" in verify(tmp_path, second.issue(NAME), first.certificate, "-partial_chain")


def test_a_cross_signed_authority_leads_to_both_roots(tmp_path):
    old, new = make_root("Old"), make_root("New")
    identity = old.cross_sign(new).issue(NAME)
    assert "OK" in verify(tmp_path, identity, old.certificate)
    assert "OK" in verify(tmp_path, identity, new.certificate)


def test_validity_is_what_is_asked_for(tmp_path):
    root = make_root("Root")
    past = datetime.now(UTC) - timedelta(days=100)
    assert "expired" in verify(tmp_path, root.issue(NAME, begins=past, life=timedelta(days=90)), root.certificate)
    future = datetime.now(UTC) + timedelta(days=1)
    assert "not yet valid" in verify(tmp_path, root.issue(NAME, begins=future), root.certificate)


@pytest.mark.parametrize("kind", ["p256", "rsa-2048"])
def test_the_same_seed_makes_the_same_certificates(kind):
    def chain(seed):
        root = make_root("Root", seed=seed, key=kind)
        return root.intermediate("Intermediate", key="p384").issue(NAME).chain_pem + pem(root.certificate)

    assert chain(1) == chain(1)
    assert chain(1) != chain(2)


def test_serials_and_dates_come_again_with_rsa_too():
    first, again = (make_root("Root", seed=1, key="rsa-2048").issue(NAME, key="rsa-2048").leaf for _ in range(2))
    assert (first.serial_number, first.not_valid_after_utc) == (again.serial_number, again.not_valid_after_utc)


def test_no_key_is_shown_by_what_is_printed():
    root = make_root("Root", key="p256")
    identity = root.issue(NAME)
    assert isinstance(identity.key, ec.EllipticCurvePrivateKey)
    for shown in (repr(identity), str(identity), repr(root), f"{root.intermediate('I')!r}"):
        assert "PrivateKey" not in shown
        assert "Certificate" in shown


def test_a_key_on_disk_is_its_owners_whatever_lay_there_before(tmp_path):
    key = tmp_path / "key.pem"
    key.write_text("readable")
    key.chmod(0o644)
    identity = make_root("Root").issue(NAME, key="rsa-2048")
    identity.store(tmp_path / "chain.pem", key)
    assert key.stat().st_mode & 0o777 == 0o600
    loaded = Identity.load(tmp_path / "chain.pem", key)
    assert loaded.chain == identity.chain
    assert isinstance(loaded.key, rsa.RSAPrivateKey)


BAD = {
    "no chain": ("nothing", None, "holds no certificates"),
    "no key": (None, "nothing", "holds no private key"),
    "another's key": (None, make_root("Other").key, "is not the key of"),
}


@pytest.mark.parametrize("case", BAD)
def test_files_that_are_no_identity_are_refused_by_name(tmp_path, case):
    chain, key, message = BAD[case]
    identity = make_root("Root").issue(NAME)
    identity.store(tmp_path / "chain.pem", tmp_path / "key.pem")
    if chain is not None:
        (tmp_path / "chain.pem").write_text(chain)
    if isinstance(key, str):
        (tmp_path / "key.pem").write_text(key)
    elif key is not None:
        Identity((), key).store(tmp_path / "other.pem", tmp_path / "key.pem")
    with pytest.raises(Misuse, match=message):
        Identity.load(tmp_path / "chain.pem", tmp_path / "key.pem")


def test_what_cannot_be_named_or_made_is_misuse():
    with pytest.raises(Misuse, match="cannot name"):
        make_root("Root").issue("müll.test")
    with pytest.raises(Misuse, match="no key is of kind"):
        make_root("Root", key="rsa-512")
    with pytest.raises(Misuse, match="cannot read"):
        Identity.load(Path("/nowhere/chain.pem"), Path("/nowhere/key.pem"))


def test_a_cloud_s_key_comes_again_with_its_seed():
    assert public_der(make_server_key(7)) == public_der(make_server_key(7))
    assert public_der(make_server_key(7)) != public_der(make_server_key(8))
    assert len(public_der(make_server_key(7))) == 294
