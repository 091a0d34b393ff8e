"""Planted faults of identities and who issues them, of what judges them, and of the TLS endpoint that shows them."""

from __future__ import annotations

import ssl
from dataclasses import replace
from functools import cache

from cryptography import x509

from rig.formats import certificate_chain
from rig.formats.certificate_keys import signed
from rig.formats.certificate_refusal import Flag
from rig.trust import authority, identity, revocation, shipped, soundness, web_pki
from rig.trust.tls import context, endpoint
from tests.rig.families.esp32.twin.app import checks_tls as of_tls
from tests.rig.servers.https import checks_https as of_https
from tests.rig.servers.https.checks_https import on_lab
from tests.rig.trust import checks_trust as check
from tests.rig.trust import test_authority as of_authority
from tests.rig.trust import test_soundness as of_soundness
from tests.rig.trust.checks_trust import of_a_flaw, of_a_made_flaw
from tests.rig.trust.tls_clients import V13

# -- soundness ---------------------------------------------------------------------------------------------------------

REAL_LINKS, REAL_DATES, REAL_WEAKNESS = soundness._links, soundness._dates, soundness._weakness
REAL_REFUSE_FLAWS = soundness.refuse_flaws


def _by_name(child, issuer):
    return child.issuer == issuer.subject


def _but(real, defect):
    return lambda *what: (flaw for flaw in real(*what) if flaw.defect != defect)


def _in_any_order(chain, roots, at):
    path, found = REAL_LINKS(chain, roots, at)
    return path, [flaw for flaw in found if flaw.defect != "loose-order"]


def _of_leaves(certificate, at, **how):
    return () if soundness._may_issue(certificate) else REAL_DATES(certificate, at, **how)


def _all_needed(certificate, at, **_how):
    return REAL_DATES(certificate, at)


def _all_or_nothing(found, accepted=()):
    REAL_REFUSE_FLAWS([] if accepted else found, accepted)


SOUNDNESS = {
    "soundness: an authority that is itself broken passes": (
        lambda m: m.setattr(soundness, "signed", _by_name),
        of_a_flaw("an authority that is itself broken"),
    ),
    "soundness: order is not looked at": (
        lambda m: m.setattr(soundness, "_links", _in_any_order),
        of_a_flaw("the wrong way round"),
    ),
    "soundness: SHA-1 passes": (
        lambda m: m.setattr(soundness, "_weakness", _but(REAL_WEAKNESS, "sha1")),
        of_a_flaw("an old hash"),
    ),
    "soundness: a certificate may be for anything": (
        lambda m: m.setattr(soundness, "_usage", lambda _leaf: ()),
        of_a_made_flaw("for clients alone"),
    ),
    "soundness: an authority has as many below it as it likes": (
        lambda m: m.setattr(soundness, "_path_lengths", lambda _path, _roots: ()),
        of_a_made_flaw("more authorities than the upper one allows"),
    ),
    "soundness: any curve will do": (
        lambda m: m.setattr(soundness, "_weakness", _but(REAL_WEAKNESS, "unknown-curve")),
        of_a_made_flaw("a key on secp256k1"),
    ),
    "soundness: what nobody needs must not have ended": (
        lambda m: m.setattr(soundness, "_dates", _all_needed),
        of_a_made_flaw("a cross-sign that ended, and today's root"),
    ),
    "soundness: only the leaf ends": (
        lambda m: m.setattr(soundness, "_dates", _of_leaves),
        lambda _folder: of_soundness.test_an_authority_that_ended_is_found_though_the_leaf_goes_on(),
    ),
    "soundness: who accepts one flaw accepts them all": (
        lambda m: m.setattr(soundness, "refuse_flaws", _all_or_nothing),
        check.who_accepts_one_flaw_accepts_no_other,
    ),
}


# -- authorities and identities ----------------------------------------------------------------------------------------

REAL_PATH, REAL_VALIDITY, REAL_MAKE_KEY = authority.Authority.path, authority._validity, authority.make_key
REAL_CRL, REAL_RESPONSES, REAL_ISSUE = revocation.Revocations.crl, revocation.Revocations.answer, web_pki.WebPki.issue


def _with_the_root(issuer):
    return (*REAL_PATH.fget(issuer), issuer.root)


def _a_new_key(issuer, other, **how):
    return issuer.intermediate(soundness.title(other.certificate), **how)


def _any_key(cls, chain, key, *sources):
    return cls(identity.parse_chain(chain, *sources[:1]), identity.parse_key(key, *sources[1:]))


def _of_its_own_kind(pki, host, recipe, former=None):
    return REAL_ISSUE(pki, host, recipe.model_copy(update={"key": "p256"} if recipe.key == "kept" else {}), former)


def _whole(pki, host, recipe, former=None):
    return REAL_ISSUE(pki, host, recipe.model_copy(update={"behind": None}), former)


AUTHORITIES = {
    "authority: a chain is served with its root": (
        lambda m: m.setattr(authority.Authority, "path", property(_with_the_root)),
        lambda folder: of_authority.test_a_chain_of_any_kind_of_key_is_one(folder, "p256"),
    ),
    "authority: a cross-sign has a key of its own": (
        lambda m: m.setattr(authority.Authority, "cross_sign", _a_new_key),
        of_authority.test_a_cross_signed_authority_leads_to_both_roots,
    ),
    "authority: everything lasts from now on": (
        lambda m: m.setattr(authority, "_validity", lambda _begins, life, noise: REAL_VALIDITY(None, life, noise)),
        of_authority.test_validity_is_what_is_asked_for,
    ),
    "authority: keys do not come again": (
        lambda m: m.setattr(authority, "make_key", lambda kind, _noise=None: REAL_MAKE_KEY(kind)),
        lambda _folder: of_authority.test_the_same_seed_makes_the_same_certificates("p256"),
    ),
    "identity: a key is for everybody": (
        lambda m: m.setattr(identity, "write_private", lambda path, content: path.write_bytes(content)),
        of_authority.test_a_key_on_disk_is_its_owners_whatever_lay_there_before,
    ),
    "identity: any key fits": (
        lambda m: m.setattr(identity.Identity, "parse", classmethod(_any_key)),
        check.a_key_of_another_certificate_is_no_identity,
    ),
    "revocation: the list is empty": (
        lambda m: m.setattr(revocation.Revocations, "crl", lambda known: REAL_CRL(replace(known, revoked={}))),
        check.what_is_taken_back_is_told_by_list_and_by_answer,
    ),
    "revocation: every certificate is good": (
        lambda m: m.setattr(
            revocation.Revocations, "answer", lambda known, *asked: REAL_RESPONSES(replace(known, revoked={}), *asked)
        ),
        check.what_is_taken_back_is_told_by_list_and_by_answer,
    ),
    "public authorities: the broken ones are sound": (
        lambda m: m.setattr(web_pki, "BROKEN", ()),
        check.an_authority_that_is_broken_verifies_nowhere,
    ),
    "public authorities: a key that is kept is a new one": (
        lambda m: m.setattr(web_pki.WebPki, "issue", _of_its_own_kind),
        check.a_key_that_is_kept_is_the_former_one,
    ),
    "public authorities: the whole path is served, whatever is asked for": (
        lambda m: m.setattr(web_pki.WebPki, "issue", _whole),
        of_a_flaw("no intermediate"),
    ),
}


# -- a device's judgement of a chain -----------------------------------------------------------------------------------

REAL_NAMESAKES = certificate_chain._namesakes_above


def _as_they_come(_trust, candidates):
    return [*candidates]


def _whoever_is_an_authority(certificate, _intermediates):
    return certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca


def _who_signed(child, among, height):
    return (one for one in REAL_NAMESAKES(child, among, height) if signed(child, one))


CHAINS = {
    "esp32 tls: any curve will do": (
        lambda m: m.setattr(certificate_chain, "key_flaw", lambda _one, _build: Flag(0)),
        of_tls.verdict("an intermediate with a key on secp256k1"),
    ),
    "firmware built for RSA takes ECDSA": (
        lambda m: m.setattr(shipped, "NoSuite", lambda: None),
        check.firmware_built_for_rsa_has_no_suite_for_ecdsa,
    ),
    "firmware has room for any chain": (
        lambda m: m.setattr(shipped, "LONGEST_CHAIN", 10**9),
        check.firmware_has_no_room_for_a_huge_chain,
    ),
    "esp32 tls: a namesake that ended is as good as one that has not": (
        lambda m: m.setattr(certificate_chain.Trust, "_in_date", _as_they_come),
        of_tls.verdict("dates are checked, and a namesake of the root has ended"),
    ),
    "esp32 tls: an authority may issue whatever its key is for": (
        lambda m: m.setattr(certificate_chain, "may_issue", _whoever_is_an_authority),
        of_tls.verdict("an intermediate whose key may not certify"),
    ),
    "esp32 tls: a namesake that did not sign is passed over": (
        lambda m: m.setattr(certificate_chain, "_namesakes_above", _who_signed),
        of_tls.verdict("a namesake of the intermediate is sent before it"),
    ),
}


# -- the endpoint ------------------------------------------------------------------------------------------------------

REAL_SWAP, REAL_CHOOSE, REAL_CONTEXT = endpoint.Endpoint.swap, endpoint.Endpoint.choose, context.TlsSettings.context


def _swap_and_forget(served, shown, name=None, client=None):
    former = REAL_SWAP(served, shown, name, client)
    if client is None:
        served._alone.clear()
    return former


def _first_in_the_record(served, hello, handshake):
    host = REAL_CHOOSE(served, hello, handshake)
    handshake.identity = served.host(None).identity.fingerprint
    return host


@cache
def _with_tickets(settings):
    made = REAL_CONTEXT(settings)
    made.options &= ~ssl.OP_NO_TICKET
    made.num_tickets = 2
    return made


ENDPOINT = {
    "endpoint: what one client is to meet is met by everybody": (
        lambda m: m.setattr(endpoint.Endpoint, "met_by", lambda served, _client, name: served.host(name)),
        on_lab(of_https.what_one_client_meets_is_its_own),
    ),
    "endpoint: a swap for everybody forgets who is shown something else": (
        lambda m: m.setattr(endpoint.Endpoint, "swap", _swap_and_forget),
        on_lab(of_https.what_one_client_meets_is_its_own),
    ),
    "endpoint: a record names the first host's certificate": (
        lambda m: m.setattr(endpoint.Endpoint, "choose", _first_in_the_record),
        on_lab(of_https.a_record_tells_which_certificate_was_shown),
    ),
    "endpoint: it hands out tickets": (
        lambda m: m.setattr(context.TlsSettings, "context", _with_tickets),
        on_lab(lambda lab: of_https.no_session_is_resumed(lab, V13)),
    ),
}

MUTANTS = SOUNDNESS | AUTHORITIES | CHAINS | ENDPOINT
