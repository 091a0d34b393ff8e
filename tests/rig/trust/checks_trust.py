"""Named checks of test_mutants about identities: who issues them, what is refused of them, how they are taken back."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from cryptography import x509
from cryptography.x509 import ocsp

from rig.families.esp32.firmware.behaviour import TlsBuild
from rig.firmware.server_trust import Attempt, ServerTrust
from rig.formats.certificate_chain import Trust
from rig.trust import soundness, web_pki
from rig.trust.authority import make_root
from rig.trust.identity import Identity
from rig.trust.recipe import IdentityRecipe
from rig.trust.revocation import Revocations
from rig.trust.shipped import PinFolder, Shipped, refused_by
from tests.rig.families.esp32.twin.app import checks_tls as of_tls
from tests.rig.trust.remote.checks_nginx import refused
from tests.rig.trust.test_soundness import FLAWED, HOST, MADE, NOW, found, pki

# -- what is refused before it is deployed -----------------------------------------------------------------------------


def of_a_flaw(case):
    """A flaw of test_soundness's table is found, and no other."""
    recipe, defect = FLAWED[case]

    def the_flaw_is_found(_folder):
        assert found(**recipe) == [defect]

    return the_flaw_is_found


def of_a_made_flaw(case):
    """A flaw of what no recipe makes is found, and no other."""
    identity, roots, defect = MADE[case]

    def the_flaw_is_found(_folder):
        found_flaws = soundness.flaws(identity.chain, [HOST], at=datetime.now(UTC), roots=roots)
        assert [flaw.defect for flaw in found_flaws] == [defect]

    return the_flaw_is_found


def firmware_has_no_room_for_a_huge_chain(_folder):
    """As its own TLS client has none: the server is hung up on without an alert."""
    at, identity = datetime.now(UTC), pki().issue(HOST, IdentityRecipe(under="lets-encrypt-r10"))
    stranger = make_root("Stranger").certificate
    huge = identity.serving(*identity.chain[1:], *[stranger] * 40)
    root = pki().certificate("isrg-root-x1")
    shaken = of_tls.shake_hands(Trust((root,), name=HOST), of_tls.context(huge), HOST)
    assert (shaken.cipher, shaken.server_error) == ("", "")
    pins = PinFolder(Path("nowhere"), {"isrg-root-x1": (root,)})
    one = Shipped("lamp", ("lamp",), ServerTrust((Attempt(f"https://{HOST}/", ("isrg-root-x1",)),)))
    assert one.refuses(one.attempts[0], identity.chain, pins, at) is None
    refusal = one.refuses(one.attempts[0], huge.chain, pins, at)
    assert refusal is not None, "a chain was taken that is longer than a device's buffer"
    assert "an ESP32 has room for 16384" in str(refusal)
    (flaw,) = refused_by([one], huge.chain, [HOST], pins, at)
    assert "an ESP32 has room for 16384" in flaw.text


def firmware_built_for_rsa_has_no_suite_for_ecdsa(_folder):
    """As its own TLS client has none: the server ends the handshake."""
    at, root = datetime.now(UTC), pki().certificate("isrg-root-x1")
    pins = PinFolder(Path("nowhere"), {"isrg-root-x1": (root,)})
    attempts = (Attempt(f"https://{HOST}/", ("isrg-root-x1",)),)
    one, other = (Shipped("lamp", ("lamp",), ServerTrust(attempts, takes_ecdsa=takes)) for takes in (False, True))
    for key, is_taken in (("rsa-2048", True), ("p256", False)):
        identity = pki().issue(HOST, IdentityRecipe(under="lets-encrypt-r10", key=key))
        server, build = of_tls.server(identity), TlsBuild(ecdsa=one.trust.takes_ecdsa)
        shaken = of_tls.shake_hands(Trust((root,), name=HOST), server, HOST, build)
        assert bool(shaken.cipher) == is_taken
        assert (one.refuses(attempts[0], identity.chain, pins, at) is None) == is_taken, "as the device itself does"
        assert other.refuses(attempts[0], identity.chain, pins, at) is None


def who_accepts_one_flaw_accepts_no_other(_folder):
    identity = pki().issue("other.test", IdentityRecipe(under="lets-encrypt-r3", behind=()))
    flaws = soundness.flaws(identity.chain, (HOST,), at=NOW, roots=pki().bundle)
    assert {flaw.defect for flaw in flaws} > {"wrong-name", "missing-intermediate"}
    message = refused(lambda: soundness.refuse_flaws(flaws, ["wrong-name"]))
    assert message is not None, "one flaw was accepted, and all were"
    assert "wrong-name" not in message.message


def a_key_of_another_certificate_is_no_identity(folder):
    chain, key = folder / "chain.pem", folder / "key.pem"
    identity = make_root("Root").issue(HOST)
    Identity(identity.chain, make_root("Other").key).store(chain, key)
    message = refused(lambda: Identity.load(chain, key))
    assert message is not None, "a key was taken that does not fit"
    assert "is not the key of" in message.message


# -- authorities -------------------------------------------------------------------------------------------------------


def an_authority_that_is_broken_verifies_nowhere(_folder):
    made = web_pki.WebPki.make()
    for name in ("broken-ca-2014", "rig-intermediate-broken"):
        chain = made.issue(HOST, IdentityRecipe(under=name, begins=NOW)).chain
        flaws = [flaw.defect for flaw in soundness.flaws(chain, [HOST], at=NOW, roots=made.bundle)]
        assert flaws == ["broken-authority"], f"{name} issues what verifies"


def a_key_that_is_kept_is_the_former_one(_folder):
    former = pki().issue(HOST, IdentityRecipe())
    kept = pki().issue(HOST, IdentityRecipe(key="kept"), former)
    assert kept.leaf.public_key() == former.leaf.public_key(), "the key was to be kept"
    assert kept.leaf != former.leaf


def what_is_taken_back_is_told_by_list_and_by_answer(_folder):
    authority = make_root("Root").intermediate("Intermediate")
    known, taken, good = Revocations(authority), authority.issue(HOST).leaf, authority.issue(HOST).leaf
    known.revoke(taken)
    listed = x509.load_der_x509_crl(known.crl())
    assert listed.get_revoked_certificate_by_serial_number(taken.serial_number) is not None, "it is not on the list"
    assert listed.get_revoked_certificate_by_serial_number(good.serial_number) is None
    answers = [ocsp.load_der_ocsp_response(known.response(leaf)).certificate_status for leaf in (taken, good)]
    assert answers == [ocsp.OCSPCertStatus.REVOKED, ocsp.OCSPCertStatus.GOOD]
