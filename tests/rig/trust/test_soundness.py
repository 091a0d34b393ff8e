"""What is wrong with an identity is told before it is deployed, by the name of the flaw."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import cache

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.x509.oid import ExtendedKeyUsageOID as OID
from cryptography.x509.oid import NameOID
from hypothesis import given, settings
from hypothesis import strategies as st

from rig.errors import Misuse
from rig.formats.certificate_chain import Trust
from rig.formats.certificate_names import is_for
from rig.trust.authority import Authority, make_root
from rig.trust.identity import Identity
from rig.trust.recipe import IdentityRecipe
from rig.trust.soundness import Defect, flaws, refuse_flaws
from rig.trust.web_pki import AUTHORITIES, WebPki
from tests.rig.families.spark_core.campaign.checks_bench import raises

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
    "the wrong way round": ({"behind": ("isrg-root-x1-by-dst", "lets-encrypt-r3")}, "loose-order"),
    "an authority nobody knows": ({"under": "other-intermediate"}, "unknown-root"),
    "an authority that is itself broken": ({"under": "broken-ca-2014"}, "broken-authority"),
    "a short key": ({"key": "rsa-1024"}, "weak-key"),
    "an old hash": ({"digest": "sha1"}, "sha1"),
    "far too much": ({"padding": 32}, "too-long"),
}

ROOT, OLD = make_root("Root"), make_root("Old Root")
MIDDLE = ROOT.intermediate("Middle")
LEAF = MIDDLE.issue(HOST)
ROOTS = (ROOT.certificate,)
LAST_YEAR = datetime.now(UTC) - timedelta(days=365)
ENDED = OLD.cross_sign(ROOT, begins=LAST_YEAR, life=timedelta(days=30)).certificate
ENDED_ROOT = make_root("Ended Root", begins=LAST_YEAR, life=timedelta(days=30))


def below(authority: Authority, name: str, *extensions: x509.ExtensionType, key=None) -> Authority:
    """An authority with these extensions alone."""
    key = key or ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    extended = [x509.Extension(one.oid, True, one) for one in extensions]
    return Authority(authority._certify(subject, key, None, timedelta(days=90), extended, "sha256"), key, authority)


def with_extension(extension: x509.ExtensionType) -> Identity:
    """A leaf that has this, and HOST for a name."""
    names = x509.SubjectAlternativeName([x509.DNSName(HOST)])
    one = below(MIDDLE, HOST, names, extension)
    return Identity((one.certificate, MIDDLE.certificate), one.key)


K256, ED25519 = ec.generate_private_key(ec.SECP256K1()), ed25519.Ed25519PrivateKey.generate()
NO_MORE = below(ROOT, "Upper", x509.BasicConstraints(ca=True, path_length=0))
MAY_NOT = x509.KeyUsage(False, False, True, False, False, False, True, False, False)
#: What no recipe makes: an identity, the roots that are known, and what is wrong with it.
MADE = {
    "for clients alone": (with_extension(x509.ExtendedKeyUsage([OID.CLIENT_AUTH])), ROOTS, "wrong-usage"),
    "a key that may not sign": (with_extension(MAY_NOT), ROOTS, "wrong-usage"),
    "more authorities than the upper one allows": (NO_MORE.intermediate("Lower").issue(HOST), ROOTS, "path-length"),
    "an authority whose key may not certify": (
        below(ROOT, "Unlicensed", x509.BasicConstraints(ca=True, path_length=None), MAY_NOT).issue(HOST), ROOTS,
        "broken-authority",
    ),
    "a key on secp256k1": (MIDDLE.issue(HOST, key=K256), ROOTS, "unknown-curve"),
    "an intermediate on secp256k1": (ROOT.intermediate("Odd", key=K256).issue(HOST), ROOTS, "unknown-curve"),
    "a common name only": (MIDDLE.issue(common_name=HOST), ROOTS, "common-name-only"),
    "a key on Ed25519": (MIDDLE.issue(HOST, key=ED25519), ROOTS, "weak-key"),
    "a cross-sign that ended, and today's root": (LEAF.serving(MIDDLE.certificate, ENDED), ROOTS, "extra-certificate"),
    "a cross-sign that ended, and the old root": (
        LEAF.serving(MIDDLE.certificate, ENDED), (OLD.certificate,), "expired",
    ),
    "a root that ended": (ENDED_ROOT.issue(HOST), (ENDED_ROOT.certificate,), "expired"),
    "the leaf twice": (LEAF.serving(LEAF.leaf, MIDDLE.certificate), ROOTS, "loose-order"),
    "the root before the intermediate": (LEAF.serving(ROOT.certificate, MIDDLE.certificate), ROOTS, "loose-order"),
    "a namesake before the intermediate": (
        LEAF.serving(ROOT.intermediate("Middle").certificate, MIDDLE.certificate), ROOTS, "wrong-order",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", MADE)
def test_what_esp32s_refuse_and_what_is_clumsy_is_told_apart(case):
    identity, roots, defect = MADE[case]
    assert [flaw.defect for flaw in flaws(identity.chain, [HOST], at=datetime.now(UTC), roots=roots)] == [defect]


POOL = [one.certificate for one in (ROOT, OLD, MIDDLE, ROOT.intermediate("Middle"), OLD.cross_sign(ROOT))]
DEEP = MIDDLE.intermediate("Lower")
FATAL = {"wrong-order", "broken-authority", "missing-intermediate", "unknown-root"}


@given(
    st.sampled_from([LEAF, DEEP.issue(HOST), ROOT.issue(HOST), make_root("Root").issue(HOST)]),
    st.lists(st.sampled_from([*POOL, DEEP.certificate]), max_size=5),
    st.sampled_from([(ROOT.certificate,), (OLD.certificate,), (OLD.certificate, ROOT.certificate)]),
)
@settings(max_examples=150, deadline=None)
def test_a_chain_of_today_is_followed_as_a_device_follows_it(leaf, behind, roots):
    chain = (leaf.leaf, *behind)
    found_flaws = {flaw.defect for flaw in flaws(chain, [HOST], at=datetime.now(UTC), roots=roots)}
    assert bool(found_flaws & FATAL) == (Trust(roots, name=HOST).refuses(chain) is not None), found_flaws


def test_what_is_clumsy_and_harmless_is_not_refused():
    identity, roots, clumsy = MADE["a cross-sign that ended, and today's root"]
    found = flaws(identity.chain, [HOST], at=datetime.now(UTC), roots=roots)
    assert [flaw.defect for flaw in found] == [clumsy], "it is told"
    assert not raises(Misuse, lambda: refuse_flaws(found))


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
    assert is_for(leaf, "127.0.0.1")
    assert is_for(leaf, "::1")
    assert not is_for(leaf, "127.0.0.2")


def test_authorities_last_as_long_as_they_did(tmp_path):
    for name, entry in AUTHORITIES.items():
        certificate = pki().certificate(name)
        told = (f"{certificate.not_valid_before_utc:%F}", f"{certificate.not_valid_after_utc:%F}")
        assert told == (entry.begins, entry.ends), name


def test_authorities_that_are_kept_come_back_and_their_keys_are_their_owner_s(tmp_path):
    first, again = WebPki.in_folder(tmp_path), WebPki.in_folder(tmp_path)
    for name in AUTHORITIES:
        assert first.certificate(name) == again.certificate(name)
        assert (tmp_path / f"{name}.key.pem").stat().st_mode & 0o777 == 0o600
    chain = again.issue(HOST, IdentityRecipe(under="broken-ca-2014", begins=datetime(2024, 5, 25, tzinfo=UTC))).chain
    broken = flaws(chain, [HOST], at=NOW, roots=again.bundle)
    assert [flaw.defect for flaw in broken] == [Defect.BROKEN_AUTHORITY], "it is still broken"


def test_each_authority_has_a_key_of_its_own_and_a_cross_sign_another_s():
    made = WebPki.make().authorities
    own = {name: authority.key for name, authority in made.items() if AUTHORITIES[name].of is None}
    crossed = {name: AUTHORITIES[name].of for name in made.keys() - own.keys()}
    assert len({key.private_numbers() for key in own.values()}) == len(own)
    assert {made[name].key for name in crossed} == {made[of].key for of in crossed.values()}
