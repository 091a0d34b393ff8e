"""Named checks of test_mutants about the probe: chains, names, and the story of April 2014 at real endpoints."""

from __future__ import annotations

import asyncio
import contextlib
from datetime import timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.x509 import ocsp
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from rig.trust.authority import make_root
from rig.trust.identity import Identity
from rig.trust.keys import make_key
from rig.trust.probe import revocation_check
from rig.trust.probe.probe import Target, probe
from rig.trust.probe.report import HostReport
from rig.trust.revocation import must_staple
from tests.rig.trust.probe.checks_heartbleed import restricted
from tests.rig.trust.probe.leaking_responder import LeakingResponder, drops, is_silent, leaks
from tests.rig.trust.probe.probe_lab import ECDSA, EXPIRED, MIDDLE, NOW, ROOT, RSA, WRONG_NAME, codes, look, place, plan
from tests.rig.trust.probe.revocation_server import RevocationServer
from tests.rig.trust.tls_servers import HOST, LOOPBACK, endpoint, s_server

# -- one endpoint ------------------------------------------------------------------------------------------------------

ALMOST = MIDDLE.issue(HOST, begins=NOW - timedelta(days=80), life=timedelta(days=90))
LATER = MIDDLE.issue(HOST, begins=NOW + timedelta(days=1))
DEEP = ROOT.intermediate("Upper", key="rsa-2048").intermediate("Lower").issue(HOST)
OLD = make_root("Old Root")
OLD_CROSS = OLD.cross_sign(ROOT, begins=NOW - timedelta(days=100), life=timedelta(days=90)).certificate
#: What is clumsy, and keeps nobody out.
CLUMSY = ("the leaf twice", "the root before the intermediate", "one too many, and ended")
#: A chain that is served, and what is found of it and not of one that is as it should be.
CHAINS = {
    "another's name": (WRONG_NAME, "wrong-name"),
    "over": (EXPIRED, "expired"),
    "not yet": (LATER, "not-yet-valid"),
    "soon over": (ALMOST, "expires-soon"),
    "the wrong way round": (DEEP.serving(DEEP.chain[2], DEEP.chain[1]), "wrong-order"),
    "the leaf alone": (ECDSA.serving(), "missing-intermediate"),
    "a root of nobody's": (make_root("Own").intermediate("Own Intermediate").issue(HOST), "unknown-root"),
    "a root too": (ECDSA.serving(MIDDLE.certificate, ROOT.certificate), "root-served"),
    "a small key": (MIDDLE.issue(HOST, key="rsa-1024"), "weak-key"),
    "an old hash": (MIDDLE.issue(HOST, digest="sha1"), "sha1"),
    "the leaf twice": (ECDSA.serving(ECDSA.leaf, MIDDLE.certificate), "loose-order"),
    "the root before the intermediate": (ECDSA.serving(ROOT.certificate, MIDDLE.certificate), "loose-order"),
    "one too many, and ended": (ECDSA.serving(MIDDLE.certificate, OLD_CROSS), "extra-certificate"),
    "a promise of a staple": (MIDDLE.issue(HOST, extensions=[must_staple()]), "no-staple"),
}


def what_is_wrong_with_a_chain_is_found(case):
    identity, code = CHAINS[case]
    sound = look(endpoint(ECDSA, ciphers="DEFAULT:@SECLEVEL=0"))
    report = look(endpoint(identity, ciphers="DEFAULT:@SECLEVEL=0"))
    assert code in codes(report), f"{case}: nobody found it"
    assert code not in codes(sound)


def what_is_clumsy_is_a_warning(case):
    identity, code = CHAINS[case]
    report = look(endpoint(identity))
    assert {finding.level for finding in report.found(code)} == {"warning"}
    assert codes(report, "broken") == set(), f"{case}: what every client takes was called broken"


def of_a_clumsy_chain(case):
    return lambda _folder: what_is_clumsy_is_a_warning(case)


def silence_to_heartbeats_is_not_known(_folder):
    async def act():
        responder = LeakingResponder(RSA, is_silent)
        async with endpoint(RSA, maximum="TLSv1.2") as responder.behind, responder.serving() as port:
            (report,) = await probe([Target(HOST)], plan((LOOPBACK, port), asks_heartbeats=True))
            return report

    report = asyncio.run(act())
    (finding,) = report.found("heartbeats-silent")
    assert (finding.level, report.exit_status) == ("unknown", 3), "silence was taken for an answer"


def what_is_said_of_heartbeats(responder, code, status):
    async def act():
        async with endpoint(RSA, maximum="TLSv1.2") as responder.behind, responder.serving() as port:
            (report,) = await probe([Target(HOST)], plan((LOOPBACK, port), asks_heartbeats=True, seconds=1))
            return report

    report = asyncio.run(act())
    assert {one for one in codes(report) if one.startswith("heart")} == {code}
    assert report.exit_status == status
    assert (report.addresses[0].heartbeats is None) is (code == "heartbeats-not-seen"), "none was seen of it"


def heartbeat_hellos_that_are_refused_are_not_seen(_folder):
    what_is_said_of_heartbeats(restricted(suites=(0x1301,)), "heartbeats-not-seen", 3)


def a_deputy_is_believed_while_its_certificate_lasts(_folder):
    """Who answers for the issuer is certified to; its answers themselves last longer here."""
    for days, status in {(-1, 30): "good", (-90, -1): "invalid", (1, 30): "invalid"}.items():
        deputy = deputy_of(MIDDLE, *(NOW + timedelta(days=day) for day in days))
        said = revocation_check.judge_ocsp(answer_by(deputy, MIDDLE, RSA.leaf), RSA.leaf, MIDDLE.certificate, NOW)
        assert said[0] == status, f"a deputy from day {days[0]} to {days[1]}: {said}"


def deputy_of(authority, begins, ends):
    usage = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.OCSP_SIGNING])
    extended = [x509.Extension(usage.oid, False, usage)]
    key, subject = make_key("p256"), x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Deputy")])
    return Identity((authority._certify(subject, key, begins, ends - begins, extended, "sha256"),), key)


def answer_by(deputy, authority, leaf):
    """That a leaf is good, as a deputy says; DER."""
    builder = ocsp.OCSPResponseBuilder().add_response(
        leaf, authority.certificate, hashes.SHA1(), ocsp.OCSPCertStatus.GOOD,
        NOW - timedelta(days=2), NOW + timedelta(days=2), None, None,
    )  # fmt: skip
    builder = builder.responder_id(ocsp.OCSPResponderEncoding.HASH, deputy.leaf).certificates([deputy.leaf])
    return builder.sign(deputy.key, hashes.SHA256()).public_bytes(serialization.Encoding.DER)


def of_a_chain(case):
    return lambda _folder: what_is_wrong_with_a_chain_is_found(case)


NAMES = {
    "the name itself": (("ota.rig.test",), True),
    "a star for one label": (("*.rig.test",), True),
    "a star for two labels": (("*.test",), False),
    "a star for all": (("*",), False),
    "a star in a label": (("o*.rig.test",), False),
    "a name below": (("x.ota.rig.test",), False),
}


def a_star_covers_one_label_and_no_more(case):
    names, covered = NAMES[case]
    assert ("wrong-name" not in codes(look(endpoint(MIDDLE.issue(*names))))) is covered


def a_star_for_two_labels_is_for_nobody(_folder):
    a_star_covers_one_label_and_no_more("a star for two labels")


def one_of_two_that_was_left_behind_is_found(_folder):
    before = look(endpoint(RSA), endpoint(RSA))
    report = look(endpoint(MIDDLE.issue(HOST, key="rsa-2048")), endpoint(RSA), before=[before])
    assert [finding.address for finding in report.found("left-behind")] == [place(report, 1)]
    assert report.exit_status == 1
    assert not look(endpoint(RSA), endpoint(RSA), before=[before]).found("left-behind")


def two_that_are_not_alike_are_found(_folder):
    other = MIDDLE.issue(HOST, key="rsa-2048")
    assert "inconsistent" in codes(look(endpoint(RSA), endpoint(other))), "only one of two addresses was looked at"
    assert "inconsistent" not in codes(look(endpoint(RSA), endpoint(RSA)))


def a_source_of_another_authority_is_not_believed(_folder):
    """Of the same name and kind, and with another key."""
    name = "Probe-Intermediate"
    other = RevocationServer(ROOT.intermediate("Probe Intermediate", key="rsa-2048")).revocations[name]
    other.revoke(RSA.leaf)
    sources = {revocation_check.judge_ocsp: other.response(RSA.leaf), revocation_check.judge_crl: other.crl()}
    for judge, content in sources.items():
        assert judge(content, RSA.leaf, MIDDLE.certificate, NOW)[0] == "invalid", "it was not signed by the issuer"


# -- April 2014 --------------------------------------------------------------------------------------------------------

BEHIND = {
    "our endpoint": lambda _folder, identity: endpoint(identity, maximum="TLSv1.2"),
    "OpenSSL": lambda folder, identity: s_server(folder, identity, "-no_tls1_3"),
}


class April:
    """Two endpoints of one name, two authorities that take certificates back, and every report so far."""

    def __init__(self, folder, behind):
        self.folder, self.behind = folder, behind
        self.rsa = make_root("RSA Root", key="rsa-2048").intermediate("RSA CA", key="rsa-2048")
        self.ecdsa = make_root("ECDSA Root").intermediate("ECDSA CA")
        self.server = RevocationServer(self.rsa, self.ecdsa)
        self.reports = []

    def issue(self, authority, key):
        return authority.issue(HOST, key=key, extensions=self.server.places(authority))

    async def probe(self, *identities, behaviour=drops) -> HostReport:
        """The endpoints with an identity each."""
        async with contextlib.AsyncExitStack() as stack:
            places = []
            for at, identity in enumerate(identities):
                folder = self.folder / str(at)
                folder.mkdir(exist_ok=True)
                port = await stack.enter_async_context(self.behind(folder, identity))
                responder = LeakingResponder(identity, behaviour, port)
                places.append((LOOPBACK, await stack.enter_async_context(responder.serving())))
            roots = (self.rsa.root, self.ecdsa.root)
            how = plan(*places, roots=roots, asks_heartbeats=True, before=list(self.reports))
            (report,) = await probe([Target(HOST)], how)
        self.reports.append(report)
        return report


def at_each(report, code):
    """At how many addresses it was found."""
    return len({finding.address for finding in report.found(code)})


async def april(folder, behind) -> list[HostReport]:
    """The reports of its six steps."""
    story = April(folder, behind)
    async with story.server.serving() as server:
        first = story.issue(story.rsa, "rsa-2048")
        report = await story.probe(first, first, behaviour=leaks)
        assert at_each(report, "heartbleed") == 2

        same_key = story.issue(story.rsa, first.key)
        report = await story.probe(same_key, same_key)
        assert (at_each(report, "key-kept"), at_each(report, "key-exposed")) == (2, 2)
        assert report.exit_status == 1

        new_key = story.issue(story.rsa, "rsa-2048")
        report = await story.probe(new_key, new_key)
        assert (codes(report), at_each(report, "re-keyed")) == ({"re-keyed", "heartbeats"}, 2)

        ecdsa = story.issue(story.ecdsa, "p256")
        report = await story.probe(ecdsa, ecdsa)
        assert (at_each(report, "rsa-locked-out"), codes(report, "broken")) == (2, {"client-lost"})
        assert at_each(report, "new-root") == 2

        final = story.issue(story.rsa, "rsa-2048")
        report = await story.probe(final, final)
        assert (codes(report, "broken"), at_each(report, "rsa-locked-out")) == (set(), 0)

        for old in (first, same_key, new_key):
            server.of(story.rsa).revoke(old.leaf)
        report = await story.probe(final, new_key)
        assert codes(report, "broken") == {"revoked"}
        assert {finding.address for finding in report.found("revoked")} == {place(report, 1)}
        assert {"inconsistent", "old-again"} <= codes(report)
    return story.reports


def the_story_of_april_2014(folder):
    asyncio.run(april(folder, BEHIND["our endpoint"]))
