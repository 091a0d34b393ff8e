"""A probe compared with earlier ones: April 2014 step by step, and faults of the probe that this notices."""

from __future__ import annotations

import asyncio
import contextlib
import fnmatch

import pytest
import test_probe
from leaking_responder import LeakingResponder, drops, leaks
from probe_lab import MIDDLE, ROOT, RSA, WRONG_NAME, codes, look, place, plan
from revocation_server import RevocationServer
from tls_servers import HOST, LOOPBACK, endpoint, s_server

from rig.formats import tls_heartbeat
from rig.trust import soundness
from rig.trust.authority import make_root
from rig.trust.probe import chain_view, findings
from rig.trust.probe import probe as probe_module
from rig.trust.probe.probe import Target, probe
from rig.trust.probe.report import HostReport

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


async def april(folder, behind):
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


@pytest.mark.parametrize("behind", BEHIND)
def test_the_story_of_april_2014_is_found_step_by_step_at_each_endpoint(behind, tmp_path):
    asyncio.run(april(tmp_path, BEHIND[behind]))


def test_one_of_two_that_was_left_behind_is_found():
    before = look(endpoint(RSA), endpoint(RSA))
    report = look(endpoint(MIDDLE.issue(HOST, key="rsa-2048")), endpoint(RSA), before=[before])
    assert [finding.address for finding in report.found("left-behind")] == [place(report, 1)]
    assert report.exit_status == 1
    assert not look(endpoint(RSA), endpoint(RSA), before=[before]).found("left-behind")


def test_earlier_reports_of_other_hosts_are_not_compared_and_that_is_told():
    other = look(endpoint(WRONG_NAME), host="else.rig.test")
    assert codes(look(endpoint(RSA), before=[other])) == {"no-earlier"}


def test_another_intermediate_under_the_same_root_is_found():
    before = look(endpoint(RSA))
    other = ROOT.intermediate("Other Intermediate", key="rsa-2048").issue(HOST, key="rsa-2048")
    report = look(endpoint(other), before=[before])
    assert "new-intermediate" in codes(report, "warning")
    assert not {"new-root", "new-intermediate"} & codes(
        look(endpoint(MIDDLE.issue(HOST, key="rsa-2048")), before=[before])
    )


def no_order(monkeypatch):
    def all_but_order(*chain, **how):
        return [flaw for flaw in soundness.flaws(*chain, **how) if flaw.defect != "wrong-order"]

    monkeypatch.setattr(chain_view, "flaws", all_but_order)


def first_address_only(monkeypatch):
    across = findings._across
    monkeypatch.setattr(findings, "_across", lambda seen: across(seen[:1]))


def blind_to_heartbeats(monkeypatch):
    monkeypatch.setattr(tls_heartbeat, "read_server_hello", lambda _body: (0x0303, False))


def keys_by_certificate(monkeypatch):
    monkeypatch.setattr(chain_view, "_key_sha256", lambda one: one.fingerprint(chain_view.hashes.SHA256()).hex())


def any_star(monkeypatch):
    def covers(leaf, name):
        return any(fnmatch.fnmatch(name, pattern) for pattern in chain_view._names(leaf))

    monkeypatch.setattr(soundness, "covers", covers)


def deaf_to_revocation(monkeypatch):
    async def nobody(*_sources):
        return []

    monkeypatch.setattr(probe_module, "ask_sources", nobody)


def story(folder):
    asyncio.run(april(folder, BEHIND["our endpoint"]))


FAULTS = {
    "chain order not looked at": (
        no_order,
        lambda _folder: test_probe.test_what_is_wrong_with_a_chain_is_found("the wrong way round"),
    ),
    "consistency of the first address only": (first_address_only, story),
    "no heartbeats where a server leaks": (blind_to_heartbeats, story),
    "keys compared by certificate": (keys_by_certificate, story),
    "a star for any name": (
        any_star,
        lambda _folder: test_probe.test_a_star_covers_one_label_and_no_more("a star for two labels"),
    ),
    "revocation ignored": (deaf_to_revocation, story),
}


@pytest.mark.parametrize("case", FAULTS)
def test_a_planted_fault_is_noticed(case, monkeypatch, tmp_path):
    plant, check = FAULTS[case]
    plant(monkeypatch)
    with pytest.raises(AssertionError):
        check(tmp_path)
