"""An alert says what was found and whom it concerns; what breaks a look or its judgement hides nothing else."""

from __future__ import annotations

from datetime import timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding

from rig.firmware.checkout import part
from rig.trust.identity import Identity
from rig.trust.keys import make_key
from rig.trust.recipe import IdentityRecipe
from rig.trust.watch.scanner import Scanner
from tests.rig.trust.watch.watch_lab import BEGINS, CHANGED, DARK, FIRMWARE, HOST, day, fresh_lab, issued, line, pki

lab = fresh_lab
R10 = issued(under="lets-encrypt-r10")


def test_an_alert_says_what_changed_and_whom_it_concerns(lab):
    lab.serve()
    lab.round()
    lab.show(R10)
    assert lab.round().exit_status == 1
    alerts = {one["kind"]: one for one in lab.receiver.take()}
    change = alerts["identity-changed"]["details"]
    assert (change["from"]["issuer"], change["to"]["issuer"], change["key"]) == ("R3", "R10", "changed")
    assert alerts["refused"]["details"]["firmware"] == "lamp-1.0.4"
    assert "unknown_ca" in alerts["refused"]["text"]
    assert alerts["refused"]["subject"] == f"{HOST}:443"
    assert alerts["dark"]["subject"] == "firmware lamp-1.0.4"


def test_a_key_that_was_kept_is_told(lab):
    lab.serve()
    lab.round()
    lab.show(pki().issue(HOST, IdentityRecipe(under="lets-encrypt-r3", key="kept", begins=BEGINS), issued()))
    lab.round()
    (alert,) = lab.receiver.take()
    assert alert["details"]["key"] == "kept"
    assert "the key is the same" in alert["text"]
    assert alert["level"] == "info"


def test_a_renewal_says_who_is_at_risk(lab):
    lab.serve()
    lab.clock.today = day("2024-07-20")
    lab.round()
    (alert,) = lab.receiver.take()
    assert alert["details"]["at_risk"] == ["lamp-1.0.4"]


def test_what_an_esp32_cannot_shake_hands_with_is_refused_for_all(lab):
    lab.serve(minimum="TLSv1.3")
    lab.round()
    alerts = lab.receiver.take()
    assert sorted(one["subject"] for one in alerts if one["kind"] == "dark") == [
        "firmware lamp-1.0.4",
        "firmware lamp-1.0.5",
    ]
    assert all("protocol_version" in one["text"] for one in alerts if one["kind"] == "refused")


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
    lab.show(R10, lab.addresses[1])
    assert lab.told_in_a_round() == [CHANGED, *DARK, "raised unjudged warning"]
    lab.show(R10)
    assert lab.told_in_a_round() == ["raised refused critical", "resolved unjudged"]


def test_firmware_that_checks_dates_is_told_before_it_is_lost(lab):
    lab.firmware = FIRMWARE.replace('"1.0.5",', '"1.0.5", checks_dates = true,')
    lab.serve()
    lab.clock.today = day("2024-08-10")
    lab.round()
    (alert,) = [one for one in lab.receiver.take() if one["kind"] == "ending"]
    assert alert["details"]["lost"] == ["lamp-1.0.5"]
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
    lab.serve(R10)
    config = lab.write_config()
    config.write_text(config.read_text() + '\n[[endpoint]]\nhost = "odd.test"\naddresses = ["127.0.0.9:1"]\n')
    lab.write_config = lambda: config
    real = Scanner.look

    async def breaks(scanner, endpoint, at):
        if endpoint.host == "odd.test":
            raise ZeroDivisionError("odd")
        return await real(scanner, endpoint, at)

    monkeypatch.setattr(Scanner, "look", breaks)
    done = lab.round()
    assert done.errors == ("ZeroDivisionError: odd",)
    assert sorted(line(alert) for alert in lab.receiver.take()) == DARK
