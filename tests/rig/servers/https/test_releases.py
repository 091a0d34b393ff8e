"""Check-ins at the update server, protocol by protocol, and releases in stages."""

from __future__ import annotations

from dataclasses import replace

import pytest

from rig.servers.https.policy import Policy, Release, share
from rig.servers.https.published_files import Published
from tests.rig.servers.https import checks_https
from tests.rig.servers.https.checks_https import PROTOCOLS, check_in
from tests.rig.servers.https.https_lab import DEVICE, HOST, IMAGE, publishing_lab


@pytest.fixture
def lab(tmp_path):
    with publishing_lab(tmp_path) as running:
        yield running


@pytest.mark.parametrize("name", PROTOCOLS)
def test_each_protocol_gets_what_is_newer_and_is_noted(lab, name):
    checks_https.an_update_is_offered_once(lab, name)
    protocol, bundle = PROTOCOLS[name][1]
    first, second = lab.client.log("check-ins")
    assert (first["device"], first["product"], first["version"], first["status"]) == (DEVICE, "lamp", "1.1", 200)
    assert (second["version"], second["status"], second["why"]) == ("1.2", 304, "runs the newest")
    assert (first["protocol"], first["bundle"], first["host"]) == (protocol, bundle, HOST)
    if protocol == "v1":
        assert (first["mode"], first["details"]) == ("sketch", {"free_space": "1310720"})


def test_a_path_that_begins_with_a_mac_address_is_that_devices(lab):
    lab.publish(IMAGE, f"/{DEVICE}/app.bin")
    lab.client.fault("status", at=403, device=DEVICE)
    with lab.client.events(device=DEVICE) as events:
        assert lab.curl("/fw.bin").status == 200
        assert lab.curl(f"/{DEVICE}/app.bin").status == 403
        told = next(event for event in events if event["event"] == "request" and event["device"])
    assert (told["device"], told["path"]) == (DEVICE, f"/{DEVICE}/app.bin")
    assert lab.client.log("check-ins") == []


def test_a_product_nobody_released_is_not_found_but_its_device_is_noted(lab):
    assert check_in(lab, "v1", "1.0").status == 404
    assert lab.client.log("check-ins")[0]["status"] == 404


FILE = Published("/new", b"new")
STABLE, BETA = Release("1", Published("/old", b"old")), Release("2", FILE)
ONE, TWO = "3c71bf000001", "3c71bf000002"
POLICIES = {
    "for all": (BETA, {ONE: "2", TWO: "2"}),
    "for a group": (replace(BETA, groups=frozenset({"testers"})), {ONE: "2", TWO: "1"}),
    "for a device": (replace(BETA, devices=frozenset({TWO})), {ONE: "1", TWO: "2"}),
    "for a group or a device": (
        replace(BETA, groups=frozenset({"testers"}), devices=frozenset({TWO})),
        {ONE: "2", TWO: "2"},
    ),
    "for nobody yet": (replace(BETA, percentage=0), {ONE: "1", TWO: "1", None: "1"}),
}


@pytest.mark.parametrize("case", POLICIES)
def test_a_release_is_for_whom_it_is_meant(case):
    release, expected = POLICIES[case]
    policy = Policy(groups={"testers": {ONE}})
    policy.release("lamp", STABLE)
    policy.release("lamp", release)
    assert {device: policy.newest("lamp", device).version for device in expected} == expected


def test_stages_grow_and_take_nobody_back(tmp_path):
    checks_https.stages_grow_and_take_nobody_back(tmp_path)


def test_a_staged_release_is_offered_to_its_share_over_the_wire(lab):
    lab.client.release("lamp", "1", lab.folder / "old.bin")
    lab.client.release("lamp", "2", lab.folder / "new.bin", percentage=50)
    for number in range(6):
        device = f"3c71bf0000{number:02x}"
        got = lab.curl(f"/lamp?v=0&did={device}")
        assert (got.body == IMAGE) == (share("lamp", "2", device) < 50)
