"""Firmware in the field as servers' identities concern it: whom it would refuse, before anybody deploys anything."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import cache

import pytest

from rig.errors import Misuse
from rig.firmware.checkout import part
from rig.firmware.manifest import Manifest
from rig.trust.recipe import IdentityRecipe
from rig.trust.remote.judgement import judge
from rig.trust.remote.plan import make_plan
from rig.trust.shipped import PinFolder, refused_by, shipped
from rig.trust.web_pki import WebPki

HOST = "ota.rig.test"
MANIFEST = part("firmware-fixtures", "manifest.toml")


@cache
def firmware():
    return shipped(Manifest.load(MANIFEST))


@pytest.fixture(scope="module")
def pki(tmp_path_factory):
    made = WebPki.make()
    made.folder = tmp_path_factory.mktemp("pins")
    made.publish(made.folder)
    return made


#: Who issues for the fleet's first host, and whose firmware would go dark there, in the manifest's order.
ISSUERS = {
    "lets-encrypt-r3": ["1.0.0", "1.0.1"],
    "lets-encrypt-r10": ["1.0.0", "1.0.1", "1.0.4"],
    "cloudflare-origin-ca": ["1.0.0", "1.0.1", "1.0.4"],
    "other-intermediate": ["fleet1", "1.0.0", "1.0.1", "1.0.4", "1.0.5"],
}


@pytest.mark.parametrize("issuer", ISSUERS)
def test_firmware_that_would_go_dark_is_named_before_a_certificate_is_deployed(pki, issuer):
    chain = pki.issue(HOST, IdentityRecipe(under=issuer, key="rsa-2048")).chain
    told = [str(flaw) for flaw in refused_by(firmware(), chain, [HOST], PinFolder(pki.folder), datetime.now(UTC))]
    for line, name in zip(told, ISSUERS[issuer], strict=True):
        assert line.startswith("refused-by-firmware: ")
        assert name in line


def test_firmware_that_asks_elsewhere_does_not_mind(pki):
    chain = pki.issue("www.rig.test", IdentityRecipe(under="other-intermediate")).chain
    assert refused_by(firmware(), chain, ["www.rig.test"], PinFolder(pki.folder), datetime.now(UTC)) == []


def test_a_swap_that_would_darken_firmware_is_refused_unless_that_is_wanted(pki):
    where = {"live_chain": "/tls/chain.pem", "live_key": "/tls/key.pem", "roots": pki.folder / "bundle.pem"}
    plan = make_plan(ssh="deploy@ota", names=[HOST], manifest=MANIFEST, pins=pki.folder, **where)
    identity = pki.issue(HOST, IdentityRecipe(under="lets-encrypt-r10", key="rsa-2048"))
    with pytest.raises(Misuse, match=r"refused-by-firmware: esp32-fleet-1\.0\.0-old pins lets-encrypt-x3"):
        judge(identity, plan)
    judge(identity, plan, ["refused-by-firmware"])
    with pytest.raises(Misuse, match="manifest and pins go together"):
        make_plan(ssh="deploy@ota", names=[HOST], manifest=MANIFEST, **where)


def test_a_pin_without_a_file_is_named(pki, tmp_path):
    chain = pki.issue(HOST, IdentityRecipe()).chain
    with pytest.raises(Misuse, match=r"firmware pins .*, and .* does not exist"):
        refused_by(firmware(), chain, [HOST], PinFolder(tmp_path), datetime.now(UTC))
