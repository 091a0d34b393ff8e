"""A watch tells what is, what comes and what changes at real endpoints: once each, and whatever else fails."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from watch_lab import BEGINS, FIRMWARE, HOST, TODAY, issued, line, pki, watch_lab

from rig.lab.checkout import part
from rig.trust.identity import Identity
from rig.trust.keys import make_key
from rig.trust.recipe import IdentityRecipe
from rig.trust.watch.look import Eyes

R10 = {"under": "lets-encrypt-r10"}
RENEWED = {"begins": datetime(2024, 6, 30, tzinfo=UTC)}


@pytest.fixture
def lab(tmp_path):
    with watch_lab(tmp_path) as made:
        yield made


def day(text):
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def nothing(lab):
    pass


def to(text):
    return lambda lab: setattr(lab.clock, "today", day(text))


def shows(**recipe):
    return lambda lab: lab.show(issued(**recipe))


def shows_at(number, **recipe):
    return lambda lab: lab.show(issued(**recipe), lab.addresses[number])


def stops(number):
    return lambda lab: lab.stop(lab.addresses[number])


def starts(number):
    return lambda lab: lab.start(lab.addresses[number])


def leaves(number):
    return lambda lab: lab.addresses.pop(number)


def both(*acts):
    return lambda lab: [act(lab) for act in acts]


DARK = ["raised dark critical", "raised refused critical"]
LIGHT = ["resolved dark", "resolved refused"]
CHANGED = "happened identity-changed"
#: How many addresses there are, and what is told after each step.
STORIES = {
    "nothing happens": (1, [(nothing, [])]),
    "the end comes, threshold by threshold": (
        1,
        [
            (to("2024-07-20"), ["raised renewal info"]),
            (to("2024-07-28"), ["raised renewal warning"]),
            (to("2024-08-08"), []),
            (to("2024-08-10"), ["raised ending warning"]),
            (to("2024-08-17"), ["raised ending warning"]),
            (to("2024-08-22T12:00"), ["raised ending critical"]),
            (to("2024-08-24"), ["raised ending critical"]),
            (to("2024-08-25"), []),
            (
                shows(begins=day("2024-08-25")),
                [CHANGED, "resolved ending", "resolved renewal"],
            ),
        ],
    ),
    "it is renewed in time": (
        1,
        [(to("2024-07-22"), ["raised renewal info"]), (shows(**RENEWED), [CHANGED, "resolved renewal"])],
    ),
    "the intermediate that firmware pins ends": (
        1,
        [
            (both(to("2025-05-02"), shows(begins=day("2025-05-01"))), [CHANGED]),
            (to("2025-06-01"), []),
            (to("2025-06-20"), ["raised ending warning"]),
            (to("2025-06-21"), []),
        ],
    ),
    "a new intermediate that 1.0.4 does not accept, and back": (
        1,
        [
            (shows(**R10), [CHANGED, *DARK]),
            (nothing, []),
            (shows(), [CHANGED, *LIGHT]),
            (shows(**R10), [CHANGED, *DARK]),
        ],
    ),
    "the new intermediate is seen at the second address only": (
        2,
        [
            (shows_at(1, **R10), [CHANGED, "raised addresses-disagree warning", "raised refused critical"]),
            (shows_at(0, **R10), ["raised dark critical", "raised refused critical", "resolved addresses-disagree"]),
        ],
    ),
    "one of two addresses is left behind": (
        2,
        [
            (shows_at(0, **RENEWED), [CHANGED, "raised addresses-disagree warning"]),
            (nothing, []),
            (shows_at(1, **RENEWED), ["resolved addresses-disagree"]),
        ],
    ),
    "an address is down, and up again": (
        2,
        [(stops(0), ["raised unreachable warning"]), (nothing, []), (starts(0), ["resolved unreachable"])],
    ),
    "every address is down": (2, [(both(stops(0), stops(1)), ["raised unreachable critical"] * 2)]),
    "the first address is down while the second changes": (
        2,
        [
            (stops(0), ["raised unreachable warning"]),
            (shows(**R10), [CHANGED, "raised refused critical", "raised dark critical"]),
        ],
    ),
    "what an address showed is not over because it is down": (
        2,
        [
            (shows(**R10), [CHANGED, *DARK]),
            (stops(1), ["raised unreachable warning"]),
            (shows_at(0), [CHANGED, "resolved dark"]),
            (starts(1), ["raised addresses-disagree warning", "resolved unreachable"]),
            (shows_at(1), ["resolved addresses-disagree", "resolved refused"]),
        ],
    ),
    "an address is given up": (
        2,
        [(stops(1), ["raised unreachable warning"]), (leaves(1), ["resolved unreachable"])],
    ),
    "other certificates behind the same leaf": (
        1,
        [
            (lambda lab: lab.show(issued().serving()), [CHANGED, *DARK, "raised flaw warning"]),
            (shows(), [CHANGED, *LIGHT, "resolved flaw"]),
        ],
    ),
    "a name that is not its own": (1, [(shows(names=("other.test",)), [CHANGED, *DARK, *DARK, "raised flaw warning"])]),
}


@pytest.mark.parametrize("name", STORIES)
def test_a_story_is_told_step_by_step(lab, name):
    addresses, steps = STORIES[name]
    for number in range(addresses):
        lab.serve(at=f"127.0.0.{number + 1}")
    assert lab.told_in_a_round() == []
    for number, (act, expected) in enumerate(steps):
        act(lab)
        told = lab.told_in_a_round()
        assert told == sorted(expected), f"step {number}"


def test_an_alert_says_what_changed_and_whom_it_concerns(lab):
    lab.serve()
    lab.round()
    lab.show(issued(**R10))
    assert lab.round().exit_status == 1
    told = {one["kind"]: one for one in lab.receiver.take()}
    change = told["identity-changed"]["details"]
    assert (change["from"]["issuer"], change["to"]["issuer"], change["key"]) == ("R3", "R10", "changed")
    assert told["refused"]["details"]["firmware"] == "lamp-1.0.4"
    assert "unknown_ca" in told["refused"]["text"]
    assert told["refused"]["subject"] == f"{HOST}:443"
    assert told["dark"]["subject"] == "firmware lamp-1.0.4"


def test_a_key_that_was_kept_is_told(lab):
    lab.serve()
    lab.round()
    lab.show(pki().issue(HOST, IdentityRecipe(under="lets-encrypt-r3", key="kept", begins=BEGINS), issued()))
    lab.round()
    (told,) = lab.receiver.take()
    assert told["details"]["key"] == "kept"
    assert "the key is the same" in told["text"]
    assert told["level"] == "info"


def test_a_renewal_says_who_is_at_risk(lab):
    lab.serve()
    lab.clock.today = day("2024-07-20")
    lab.round()
    (told,) = lab.receiver.take()
    assert told["details"]["at_risk"] == ["lamp-1.0.4"]


EXIT_STATUSES = {
    "good": (nothing, 0),
    "a renewal that is due": (to("2024-07-22"), 0),
    "firmware goes dark": (shows(**R10), 1),
    "an address is not reached": (stops(0), 3),
    "both": (both(stops(0), shows(**R10)), 1),
}


@pytest.mark.parametrize("case", EXIT_STATUSES)
def test_the_exit_status_says_what_holds(lab, case):
    act, status = EXIT_STATUSES[case]
    for number in (1, 2):
        lab.serve(at=f"127.0.0.{number}")
    lab.round()
    act(lab)
    assert lab.round().exit_status == status
    assert lab.round().exit_status == status, "and still says it when nothing is new"


def test_what_an_esp32_cannot_shake_hands_with_is_refused_for_all(lab):
    lab.serve(minimum="TLSv1.3")
    lab.round()
    told = lab.receiver.take()
    assert sorted(one["subject"] for one in told if one["kind"] == "dark") == [
        "firmware lamp-1.0.4",
        "firmware lamp-1.0.5",
    ]
    assert all("protocol_version" in one["text"] for one in told if one["kind"] == "refused")


def test_an_endpoint_that_is_no_longer_watched_is_resolved(lab):
    address = lab.serve(issued(**R10))
    lab.round()
    lab.receiver.take()
    lab.addresses[:] = [address]
    path = lab.write_config()
    lab.write_config = lambda: path
    path.write_text(
        path.read_text()
        .replace(HOST, "another.test", 1)
        .replace("[[endpoint]]", '[[endpoint]]\naccept = ["wrong-name"]')
    )
    told = lab.told_in_a_round()
    assert told.count("resolved refused") == 1
    assert told.count("resolved dark") == 1


def test_a_name_that_nobody_knows_gives_nothing_up(lab):
    lab.serve(issued(**R10))
    lab.round()
    lab.receiver.take()
    path = lab.write_config()
    lab.write_config = lambda: path
    path.write_text(path.read_text().replace(f'addresses = ["{lab.addresses[0]}"]', ""))
    told = lab.told_in_a_round()
    assert told == ["raised unreachable critical"], "nobody resolves ota.rig.test here"


def test_days_pass_and_nothing_is_told_twice(lab):
    lab.serve()
    for _ in range(12):
        lab.clock.today += timedelta(days=2)
        lab.round()
    assert set(lab.receiver.counts().values()) == {1}
    assert lab.clock.today > TODAY


def unreadable():
    """A certificate with one extension twice: OpenSSL serves it, the library reads none of its extensions."""
    key = make_key("p256")
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, HOST)])
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = builder.serial_number(1).not_valid_before(BEGINS).not_valid_after(BEGINS + timedelta(days=90))
    for number in (6, 7):
        unknown = x509.UnrecognizedExtension(x509.ObjectIdentifier(f"1.2.3.4.{number}"), b"\x05\x00")
        builder = builder.add_extension(unknown, critical=False)
    der = builder.sign(key, hashes.SHA256()).public_bytes(Encoding.DER)
    twice = der.replace(bytes([0x2A, 3, 4, 7]), bytes([0x2A, 3, 4, 6]))
    return Identity((x509.load_der_x509_certificate(twice),), key)


def test_certificates_that_break_the_judgement_are_told_and_hide_nothing(lab):
    for number in (1, 2):
        lab.serve(at=f"127.0.0.{number}")
    lab.round()
    lab.show(unreadable(), lab.addresses[0])
    lab.show(issued(**R10), lab.addresses[1])
    assert lab.told_in_a_round() == [CHANGED, *DARK, "raised unjudged warning"]
    lab.show(issued(**R10))
    assert lab.told_in_a_round() == ["raised refused critical", "resolved unjudged"]


def test_firmware_that_checks_dates_is_told_before_it_is_lost(lab):
    lab.firmware = FIRMWARE.replace('"1.0.5",', '"1.0.5", checks_dates = true,')
    lab.serve()
    lab.clock.today = day("2024-08-10")
    lab.round()
    (told,) = [one for one in lab.receiver.take() if one["kind"] == "ending"]
    assert told["details"]["lost"] == ["lamp-1.0.5"]
    lab.clock.today = day("2024-08-24")
    assert [text for text in lab.told_in_a_round() if "renewal" not in text] == [
        "raised dark critical",
        "raised ending critical",
        "raised refused critical",
    ]


def test_a_root_that_nobody_named_is_a_flaw_unless_it_is_meant(lab):
    lab.firmware = ""
    lab.serve(issued(under="dtf-root-x1", begins=day("2024-08-10")))
    lab.clock.today = day("2024-08-11")
    assert lab.told_in_a_round() == ["raised flaw warning"]
    config = lab.write_config()
    lab.write_config = lambda: config
    config.write_text(config.read_text().replace("[[endpoint]]", '[[endpoint]]\naccept = ["missing-intermediate"]'))
    assert lab.told_in_a_round() == ["resolved flaw"]


def test_firmware_of_a_manifest_is_watched_for(lab):
    lab.firmware, lab.extra = "", f'manifest = "{part("firmware-fixtures", "manifest.toml")}"'
    lab.serve(issued(under="other-intermediate"))
    lab.round()
    refused = [one["details"]["firmware"] for one in lab.receiver.take() if one["kind"] == "refused"]
    assert "esp32-fleet1-old" in refused, "it asks ota.rig.test, as the manifest says"


def test_what_breaks_at_one_endpoint_does_not_silence_others(lab, monkeypatch):
    lab.serve(issued(**R10))
    config = lab.write_config()
    config.write_text(config.read_text() + '\n[[endpoint]]\nhost = "odd.test"\naddresses = ["127.0.0.9:1"]\n')
    lab.write_config = lambda: config
    real = Eyes.look

    async def breaks(eyes, endpoint, at):
        if endpoint.host == "odd.test":
            raise ZeroDivisionError("odd")
        return await real(eyes, endpoint, at)

    monkeypatch.setattr(Eyes, "look", breaks)
    done = lab.round()
    assert done.errors == ("ZeroDivisionError: odd",)
    assert sorted(line(told) for told in lab.receiver.take()) == DARK


def test_addresses_that_are_meant_to_differ_do_not_disagree_and_each_tells_its_changes(lab):
    for number in (1, 2):
        lab.serve(at=f"127.0.0.{number}")
    config = lab.write_config()
    config.write_text(config.read_text().replace("[[endpoint]]", "[[endpoint]]\naddresses_differ = true"))
    lab.write_config = lambda: config
    lab.round()
    lab.show(issued(**RENEWED), lab.addresses[0])
    assert lab.told_in_a_round() == [CHANGED]
    lab.show(issued(**RENEWED), lab.addresses[1])
    assert lab.told_in_a_round() == [CHANGED], "it is another server's change"
