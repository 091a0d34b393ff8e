"""Planted faults of an ESP32's application for test_mutants: what it writes, whom it asks, whom it trusts."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

from rig.families.esp32.firmware import update_attempts
from rig.families.esp32.formats import image as esp_image
from rig.families.esp32.formats import otadata
from rig.families.esp32.formats.chip import ESP32
from rig.families.esp32.formats.otadata import Record
from rig.families.esp32.twin.app import arduino_update, deploy_the_fleet, resume_counter, server_flight, tls
from rig.families.esp32.twin.app import ota as ota_module
from rig.families.esp32.twin.app.arduino_update import Updater
from rig.families.esp32.twin.app.ota import Ota
from rig.families.esp32.twin.app.tls import TlsClient
from rig.formats import certificate_chain
from rig.formats.certificate_chain import Trust
from rig.formats.certificate_extensions import may_issue
from rig.formats.certificate_refusal import Flag
from rig.twin.tcp import TcpClient
from tests.rig.families.esp32.twin.app import checks_ota as of_app
from tests.rig.families.esp32.twin.app import checks_tls as of_tls
from tests.rig.families.esp32.twin.app.checks_tls import NOW
from tests.rig.families.esp32.twin.app.updates import OTADATA, OTHER, SECTOR

# -- otadata and slots -------------------------------------------------------------------------------------------------

REAL_CHOOSE, REAL_PERFORM, REAL_SET_BOOT = otadata.choose_slot, ota_module.perform, Ota.set_boot
REAL_COUNTER_PERFORM = resume_counter.perform


def _same_sequence(records, slot, slots, state, release):
    rewrite = REAL_CHOOSE(records, slot, slots, state, release)
    return replace(rewrite, record=Record.of(rewrite.record.seq - 2, state))


def _running_sector(records, slot, slots, state, release):
    return replace(REAL_CHOOSE(records, slot, slots, state, release), sector=otadata.active(records) or 0)


def _without_erasing(self, rewrite):
    address = OTADATA + rewrite.sector * SECTOR
    yield from REAL_PERFORM(self.board.memory.programming(address, rewrite.record.pack()))
    yield from REAL_PERFORM(self.board.memory.programming(address, rewrite.record.pack()))


def _erase_before_verifying(self, target):
    yield from REAL_PERFORM(self.board.memory.erasing(OTHER, SECTOR))
    yield from REAL_SET_BOOT(self, target)


def _both_sectors(runs):
    """Where one sector of the counter is erased, so is the other."""
    for run in runs:
        other = 0xD000 + 0xE000 - run.address
        yield from REAL_COUNTER_PERFORM([run, replace(run, address=other)] if run.kind == "erase" else [run])


UPDATES = {
    "esp32 app: the new record has an old sequence number": (
        lambda m: m.setattr(otadata, "choose_slot", _same_sequence),
        of_app.an_update_arrives_and_is_chosen,
    ),
    "esp32 app: the running slot's record is overwritten": (
        lambda m: m.setattr(otadata, "choose_slot", _running_sector),
        of_app.an_update_arrives_and_is_chosen,
    ),
    "esp32 app: nothing is erased": (
        lambda m: m.setattr(ota_module, "perform", lambda runs: REAL_PERFORM(r for r in runs if r.kind == "program")),
        of_app.an_update_is_worked_on_in_order,
    ),
    "esp32 app: 5.5 does not forget the rollback record": (
        lambda m: m.setattr(otadata, "forgotten_at_begin", lambda *_: None),
        of_app.an_update_is_worked_on_in_order,
    ),
    "esp32 app: a record is rewritten without an erase": (
        lambda m: m.setattr(Ota, "_rewrite", _without_erasing),
        of_app.a_cut_within_the_confirmation_loses_the_record,
    ),
    "esp32 app: otadata is erased before the image is verified": (
        lambda m: m.setattr(Ota, "set_boot", _erase_before_verifying),
        of_app.a_broken_image_leaves_the_records_alone,
    ),
    "esp32 app: an image is not verified": (
        lambda m: m.setattr(Ota, "verified", lambda self, target: esp_image.Image(target.offset, ESP32)),
        of_app.a_broken_image_is_not_chosen,
    ),
    "esp32 app: it says goodbye when its power fails": (
        lambda m: m.setattr(TcpClient, "vanish", TcpClient.close),
        of_app.power_that_fails_says_nothing_on_the_network,
    ),
    "esp32 app: what was written is forgotten when a sector is full": (
        lambda m: m.setattr(resume_counter, "perform", _both_sectors),
        of_app.a_cut_loses_no_more_than_the_last_step,
    ),
    "esp32 arduino: the first 16 bytes are written first": (
        lambda m: m.setattr(arduino_update, "KEPT_BACK", 0),
        of_app.updater_writes_the_first_bytes_last,
    ),
    "esp32 arduino: sector after sector is erased": (
        lambda m: m.setattr(Updater, "_erasing", lambda self, at: self._memory.erasing(at, SECTOR)),
        of_app.updater_erases_blocks_and_then_sectors,
    ),
}


# -- servers and pins --------------------------------------------------------------------------------------------------

REAL_ATTEMPTS, REAL_LIBRARY_CHECK = deploy_the_fleet.attempts_1, deploy_the_fleet.Library2.check
REAL_REFUSES, REAL_MAY_ISSUE, REAL_ALERT = Trust.refuses, may_issue, TlsClient._alert


def _forget_the_error(self):
    self._tls_error = 0
    return (yield from REAL_LIBRARY_CHECK(self))


def _every_suite(m):
    from mbedtls.tls import ciphers_available

    m.setattr(tls, "suites", lambda _build: tuple(ciphers_available()))
    m.setattr(tls, "_context", cache(tls._context.__wrapped__))


TRUST = {
    "esp32 fleet: 1.0.7 tells its bundle at every attempt": (
        lambda m: m.setattr(deploy_the_fleet, "attempts_1", lambda _release, url: REAL_ATTEMPTS("1.0.8", url)),
        of_app.release_1_0_7_tells_its_bundle_at_the_last_attempt_only,
    ),
    "esp32 fleet: a release has the pins of an older one, too": (
        lambda m: m.setitem(update_attempts.PINS_1, "1.0.6", ("isrg-root-x1", "lets-encrypt-r3")),
        of_app.a_release_takes_the_servers_of_its_pins_alone,
    ),
    "esp32 fleet: 2.x forgets the error between checks": (
        lambda m: m.setattr(deploy_the_fleet.Library2, "check", _forget_the_error),
        of_app.an_error_that_is_kept_makes_two_check_ins_of_one,
    ),
    "esp32 tls: every key may do everything": (
        lambda m: m.setattr(certificate_chain, "usage_flaw", lambda _leaf, _exchange: Flag(0)),
        of_tls.a_key_is_used_for_what_its_certificate_allows,
    ),
    "esp32 tls: keys only ever sign": (
        lambda m: m.setattr(server_flight, "RSA_SUITES", frozenset()),
        of_tls.a_key_is_used_for_what_its_certificate_allows,
    ),
    "esp32 tls: names are not checked": (
        lambda m: m.setattr(certificate_chain, "is_for", lambda *_what: True),
        of_tls.verdict("another name"),
    ),
    "esp32 tls: dates are checked by default": (
        lambda m: m.setattr(
            Trust, "refuses", lambda self, chain: REAL_REFUSES(replace(self, at=self.at or NOW), chain)
        ),
        of_tls.verdict("expired, and dates are ignored"),
    ),
    "esp32 tls: no chain is refused": (
        lambda m: m.setattr(Trust, "refuses", lambda _self, _chain: None),
        of_tls.verdict("another root is pinned"),
    ),
    "esp32 tls: signatures are not checked": (
        lambda m: m.setattr(certificate_chain, "signed", lambda child, issuer: child.issuer == issuer.subject),
        of_tls.a_namesake_of_the_root_is_not_it,
    ),
    "esp32 tls: only roots are anchors": (
        lambda m: m.setattr(
            certificate_chain, "may_issue", lambda one, above: REAL_MAY_ISSUE(one, above) and one.subject == one.issuer
        ),
        of_tls.verdict("the intermediate is pinned"),
    ),
    "esp32 tls: every suite is offered": (_every_suite, of_tls.chacha_is_not_spoken),
    "esp32 tls: it goes on to speak to a server it does not trust": (
        lambda m: m.setattr(
            TlsClient, "_alert", lambda self, _held_back, number: REAL_ALERT(self, len(self.outgoing), number)
        ),
        of_tls.nothing_but_the_alert_is_sent_to_a_server_that_is_not_trusted,
    ),
}

MUTANTS = UPDATES | TRUST
