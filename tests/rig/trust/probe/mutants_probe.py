"""Planted faults of the probe, of its question for heartbeats, and of what it asks authorities."""

from __future__ import annotations

import dataclasses
import fnmatch

from rig.families.esp32.formats import mbedtls
from rig.formats import certificate_chain, certificate_names, tls_heartbeat
from rig.formats.mbedtls_build import TODAY
from rig.formats.tls_old_hello import WIDE
from rig.trust import soundness
from rig.trust.look.offer import Offer
from rig.trust.probe import chain_view, findings, heartbleed, probe, revocation_check
from tests.rig.trust import checks_clients as of_clients
from tests.rig.trust.probe import checks_heartbleed as of_heartbeats
from tests.rig.trust.probe import checks_probe as check

REAL_FLAWS, REAL_ACROSS, REAL_SINCE = soundness.flaws, findings._across, findings._since
REAL_LEFT_BEHIND, REAL_HEARTBEAT = findings._left_behind, tls_heartbeat.heartbeat
REAL_TAKE, REAL_READ = tls_heartbeat.HeartbeatTest._take, tls_heartbeat.HeartbeatTest._read_messages
REAL_ALL, REAL_UNTIL = heartbleed._Asking.all_of, heartbleed._Asking.until_answered
REAL_IS_FOR = certificate_names.is_for
ANY_ECDSA = Offer(maximum="TLSv1.2", ciphers="aECDSA")
REAL_MAY_ANSWER = revocation_check._may_answer


def _all_but_order(*chain, **how):
    return [flaw for flaw in REAL_FLAWS(*chain, **how) if flaw.defect != "wrong-order"]


def _any_star(leaf, name):
    return any(fnmatch.fnmatch(name, pattern) for pattern in chain_view._names(leaf))


def _by_certificate(one):
    return one.fingerprint(chain_view.hashes.SHA256()).hex()


async def _nobody(*_sources):
    return []


def _knows_none(m):
    m.setattr(tls_heartbeat, "read_server_hello", lambda _body: (0x0303, False))


def _greedy(payload, padding, claimed=0):
    return REAL_HEARTBEAT(payload, padding, 900)


def _vulnerable(test, _message):
    test.verdict = tls_heartbeat.Heartbeats.VULNERABLE


#: Of 2014's usual ones a few, and no SHA-256 or SHA-384 in CBC.
FEW = (0xC02F, 0xC013, 0xC014, 0x009E, 0x0033, 0x0039, 0x009C, 0x002F, 0x0035, 0x000A, 0x0005)


def _offers_few(m):
    hello = dataclasses.replace(WIDE, suites=FEW)
    m.setattr(heartbleed, "STEPS", (((hello,), False),))


def _refused_is_none(m):
    real = heartbleed.heartbeats

    async def asked(*words, **how):
        try:
            return await real(*words, **how)
        except heartbleed.Refusal:
            return tls_heartbeat.Heartbeats.NONE

    m.setattr(probe, "heartbeats", asked)


def _an_alert_is_none(test, one):
    if one.kind == tls_heartbeat.ALERT:
        test.verdict = tls_heartbeat.Heartbeats.NONE
    else:
        REAL_TAKE(test, one)


def _none_where_none_is_told(test):
    REAL_READ(test)
    if test.is_asking and not test._takes_heartbeats:
        test.verdict = tls_heartbeat.Heartbeats.NONE


async def _named_only(asking, hellos, name):
    if name is None:
        return [heartbleed.Refusal("closed", "not asked")] * len(hellos)
    return await REAL_ALL(asking, hellos, name)


async def _once_without_a_name(asking, name):
    return await REAL_UNTIL(asking, name) if name is not None else (await REAL_ALL(asking, (WIDE,), name))[0]


def _all_well(address):
    yield findings._finding("note", "heartbeats-silent", "takes heartbeats, and leaks nothing", address)


def _any_key(_certificate, _build):
    return True


def _by_alternative_names_only(certificate, name, build=TODAY):
    return soundness._has_alternative_names(certificate) and REAL_IS_FOR(certificate, name, build)


def _without_a_dot(certificate, name, build=TODAY):
    return REAL_IS_FOR(certificate, name.removesuffix("."), build)


MUTANTS = {
    "clients: the certificate is not looked at": (
        lambda m: m.setattr(probe, "refused_by_esp32", lambda *_what: ""),
        of_clients.of_a_certificate("a star for two labels"),
    ),
    "clients: any kind of key is read": (
        lambda m: m.setattr(certificate_chain, "is_readable", _any_key),
        of_clients.of_a_certificate("an RSA key for PSS alone"),
    ),
    "clients: any critical extension is read": (
        lambda m: m.setattr(certificate_chain, "extension_error", lambda _certificate: 0),
        of_clients.of_a_certificate("an issuer with critical constraints of names"),
    ),
    "clients: one release of mbedTLS is like another": (
        lambda m: m.setattr(mbedtls, "BUILDS", mbedtls.BUILDS[:1]),
        of_clients.of_a_certificate("an issuer's key on k256"),
    ),
    "clients: addresses are never compared": (
        lambda m: m.setattr(certificate_names, "_address", lambda _name: None),
        of_clients.of_a_certificate("an IP address"),
    ),
    "clients: a common name is no name": (
        lambda m: m.setattr(certificate_chain, "is_for", _by_alternative_names_only),
        of_clients.of_a_certificate("a common name only"),
    ),
    "clients: a dot at the end is none": (
        lambda m: m.setattr(certificate_chain, "is_for", _without_a_dot),
        of_clients.of_a_certificate("a dot at the end"),
    ),
    "clients: who knows ECDSA only knows Ed25519": (
        lambda m: m.setattr(probe, "CLIENTS", {**probe.CLIENTS, "ecdsa": ANY_ECDSA}),
        of_clients.who_knows_ecdsa_only_is_shown_no_ed25519,
    ),
    "probe: chain order is not looked at": (
        lambda m: m.setattr(chain_view, "flaws", _all_but_order),
        check.of_a_chain("the wrong way round"),
    ),
    "probe: a star is for any name": (
        lambda m: m.setattr(soundness, "is_for", _any_star),
        check.a_star_for_two_labels_is_for_nobody,
    ),
    "probe: a root of nobody's is one": (
        lambda m: m.setattr(chain_view, "flaws", lambda *chain, at, **_how: REAL_FLAWS(*chain, at=at)),
        check.of_a_chain("a root of nobody's"),
    ),
    "probe: consistency of the first address only": (
        lambda m: m.setattr(findings, "_across", lambda seen: REAL_ACROSS(seen[:1])),
        check.two_that_are_not_alike_are_found,
    ),
    "probe: who was left behind is not told": (
        lambda m: m.setattr(findings, "_left_behind", lambda seen, former: REAL_LEFT_BEHIND(seen[:1], former)),
        check.one_of_two_that_was_left_behind_is_found,
    ),
    "probe: keys are compared by certificate": (
        lambda m: m.setattr(chain_view, "_key_sha256", _by_certificate),
        check.the_story_of_april_2014,
    ),
    "probe: only the last report is compared": (
        lambda m: m.setattr(findings, "_since", lambda seen, former: REAL_SINCE(seen, former[-1:])),
        check.the_story_of_april_2014,
    ),
    "probe: a key that was exposed is forgotten": (
        lambda m: m.setattr(findings, "_exposed", lambda _former: set()),
        check.the_story_of_april_2014,
    ),
    "probe: revocation is ignored": (
        lambda m: m.setattr(probe, "ask_sources", _nobody),
        check.the_story_of_april_2014,
    ),
    "probe: what says whether a certificate is revoked need not be signed": (
        lambda m: m.setattr(revocation_check, "_is_signed", lambda *_who: True),
        check.a_source_of_another_authority_is_not_believed,
    ),
    "probe: a leak is not told": (
        lambda m: m.setattr(findings, "_heartbeats", lambda _address: ()),
        check.the_story_of_april_2014,
    ),
    "probe: what is clumsy is broken": (
        lambda m: m.setattr(findings, "_FLAW_LEVELS", {}),
        check.of_a_clumsy_chain("one too many, and ended"),
    ),
    "probe: silence to heartbeats is an answer": (
        lambda m: m.setattr(findings, "_heartbeats", _all_well),
        check.silence_to_heartbeats_is_not_known,
    ),
    "probe: a deputy is believed for good": (
        lambda m: m.setattr(
            revocation_check, "_may_answer", lambda one, _at: REAL_MAY_ANSWER(one, one.not_valid_before_utc)
        ),
        check.a_deputy_is_believed_while_its_certificate_lasts,
    ),
    "heartbeats: what a server says of them is not read": (
        _knows_none,
        of_heartbeats.of_a_responder("answers no request"),
    ),
    "heartbeats: whoever answers leaks": (
        lambda m: m.setattr(tls_heartbeat.HeartbeatTest, "_judge", _vulnerable),
        of_heartbeats.of_a_responder("drops the wrong request"),
    ),
    "heartbeats: few suites are offered": (_offers_few, of_heartbeats.of_a_suite("ECDHE-RSA-AES256-SHA384")),
    "heartbeats: one hello is enough": (
        lambda m: m.setattr(heartbleed, "STEPS", heartbleed.STEPS[:1]),
        of_heartbeats.of_the_peculiar("chokes on a long hello"),
    ),
    "heartbeats: who is mute is waited for at every step": (
        lambda m: m.setattr(heartbleed, "_is_silent", lambda _refusals: False),
        of_heartbeats.who_is_mute_is_waited_for_twice_and_not_once_a_step,
    ),
    "heartbeats: every server minds no version": (
        lambda m: m.setattr(heartbleed, "STEPS", heartbleed.STEPS[:2]),
        of_heartbeats.of_the_peculiar("takes no version that it does not know"),
    ),
    "heartbeats: a refused hello is an answer": (
        lambda m: m.setattr(tls_heartbeat.HeartbeatTest, "_take", _an_alert_is_none),
        of_heartbeats.hellos_that_are_refused_say_nothing,
    ),
    "heartbeats: who says nothing of them is not asked": (
        lambda m: m.setattr(tls_heartbeat.HeartbeatTest, "_read_messages", _none_where_none_is_told),
        of_heartbeats.of_the_peculiar("says nothing of heartbeats"),
    ),
    "heartbeats: whoever is behind no name is not asked": (
        lambda m: m.setattr(heartbleed._Asking, "all_of", _named_only),
        of_heartbeats.another_server_without_a_name_is_asked_too,
    ),
    "heartbeats: whoever is behind no name is asked once": (
        lambda m: m.setattr(heartbleed._Asking, "until_answered", _once_without_a_name),
        of_heartbeats.an_old_server_without_a_name_is_asked_too,
    ),
    "probe: refused hellos with heartbeats are none": (
        _refused_is_none,
        check.heartbeat_hellos_that_are_refused_are_not_seen,
    ),
    "heartbeats: more is asked than was sent": (
        lambda m: m.setattr(tls_heartbeat, "heartbeat", _greedy),
        of_heartbeats.a_leaking_server_gives_nothing_away_but_what_it_was_sent,
    ),
}
