"""What is wrong with an identity is told before it is deployed, by the name of the flaw."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import cache

import pytest

from rig.errors import Misuse
from rig.trust.recipe import IdentityRecipe
from rig.trust.soundness import Defect, covers, flaws, refuse_flaws
from rig.trust.web_pki import AUTHORITIES, WebPki

HOST = "ota.rig.test"
NOW = datetime(2024, 7, 24, tzinfo=UTC)


@cache
def pki() -> WebPki:
    return WebPki.make()


def found(at=NOW, **recipe) -> list[str]:
    """Flaws of an identity by its recipe, judged by whoever trusts the bundle."""
    recipe = {"under": "lets-encrypt-r3", "begins": datetime(2024, 5, 25, tzinfo=UTC), **recipe}
    identity = pki().issue(HOST, IdentityRecipe(**recipe))
    return [flaw.defect for flaw in flaws(identity.chain, [HOST], at=at, roots=pki().bundle)]


SOUND = {
    "as everybody has it": {},
    "ECDSA under RSA": {"under": "lets-encrypt-e5"},
    "with the cross-sign behind": {"behind": ("lets-encrypt-r3", "isrg-root-x1-by-dst")},
    "with its root": {"behind": ("lets-encrypt-r3", "isrg-root-x1")},
    "a star": {"names": ("*.rig.test",)},
}
FLAWED = {
    "for another name": ({"names": ("other.test",)}, "wrong-name"),
    "a star for two labels": ({"names": ("*.test",)}, "wrong-name"),
    "ended": ({"days": 30}, "expired"),
    "not begun": ({"begins": datetime(2024, 8, 1, tzinfo=UTC)}, "not-yet-valid"),
    "no intermediate": ({"behind": ()}, "missing-intermediate"),
    "another intermediate": ({"behind": ("lets-encrypt-r10",)}, "missing-intermediate"),
    "the wrong way round": ({"behind": ("isrg-root-x1-by-dst", "lets-encrypt-r3")}, "wrong-order"),
    "an authority nobody knows": ({"under": "other-intermediate"}, "unknown-root"),
    "an authority that is itself broken": ({"under": "broken-ca-2014"}, "broken-authority"),
    "a short key": ({"key": "rsa-1024"}, "weak-key"),
    "an old hash": ({"digest": "sha1"}, "sha1"),
    "far too much": ({"padding": 32}, "too-long"),
}


@pytest.mark.parametrize("case", SOUND)
def test_a_sound_identity_has_no_flaw(case):
    recipe = SOUND[case]
    at = datetime(2024, 7, 24, tzinfo=UTC)
    assert found(at=at, **recipe) == []


@pytest.mark.parametrize("case", FLAWED)
def test_a_flaw_is_found_and_named(case):
    recipe, defect = FLAWED[case]
    assert found(**recipe) == [defect]


def test_an_authority_that_ended_is_found_though_the_leaf_goes_on():
    at = datetime(2025, 9, 20, tzinfo=UTC)
    assert found(at=at, begins=datetime(2025, 9, 1, tzinfo=UTC)) == ["expired"]


def test_a_flaw_is_refused_by_name_unless_it_is_accepted_by_name():
    identity = pki().issue("other.test", IdentityRecipe(under="lets-encrypt-r3", behind=()))
    all_of_them = flaws(identity.chain, (HOST,), at=NOW, roots=pki().bundle)
    with pytest.raises(Misuse, match=r"wrong-name: .*other.test is not for ota.rig.test"):
        refuse_flaws(all_of_them)
    refuse_flaws(all_of_them, [flaw.defect for flaw in all_of_them])
    with pytest.raises(Misuse, match="no flaw is called wrong-nam"):
        refuse_flaws(all_of_them, ["wrong-nam"])


def test_an_address_is_covered_as_an_address():
    leaf = pki().issue(HOST, IdentityRecipe(names=("127.0.0.1", "::1"))).leaf
    assert covers(leaf, "127.0.0.1")
    assert covers(leaf, "::1")
    assert not covers(leaf, "127.0.0.2")


def test_authorities_last_as_long_as_they_did(tmp_path):
    for name, entry in AUTHORITIES.items():
        certificate = pki().certificate(name)
        told = (f"{certificate.not_valid_before_utc:%F}", f"{certificate.not_valid_after_utc:%F}")
        assert told == (entry.begins, entry.ends), name


def test_authorities_that_are_kept_come_back_and_their_keys_are_their_owner_s(tmp_path):
    first, again = WebPki.kept(tmp_path), WebPki.kept(tmp_path)
    for name in AUTHORITIES:
        assert first.certificate(name) == again.certificate(name)
        assert (tmp_path / f"{name}.key.pem").stat().st_mode & 0o777 == 0o600
    chain = again.issue(HOST, IdentityRecipe(under="broken-ca-2014", begins=datetime(2024, 5, 25, tzinfo=UTC))).chain
    broken = flaws(chain, [HOST], at=NOW, roots=again.bundle)
    assert [flaw.defect for flaw in broken] == [Defect.BROKEN_AUTHORITY], "it is still broken"
