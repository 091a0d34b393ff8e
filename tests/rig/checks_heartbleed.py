"""Named checks of test_mutants about heartbeats: servers that leak and that do not, and what is taken of them."""

from __future__ import annotations

import asyncio

from leaking_responder import SECRET, LeakingResponder, cuts_short, drops, is_silent, leaks
from tls_servers import HOST, LOOPBACK

from rig.formats.tls_heartbeat import HEARTBEAT_RECORD, Heartbeats
from rig.formats.tls_records import RecordReader
from rig.trust.authority import make_root
from rig.trust.probe.heartbleed import heartbeats

IDENTITY = make_root("Bleeding Root", key="rsa-2048").issue(HOST, key="rsa-2048")


def ask(serving, **how):
    async def act():
        async with serving as port:
            return await heartbeats((LOOPBACK, port), HOST, **{"patience": 0.3, "seconds": 5, **how})

    return asyncio.run(act())


BEHAVIOURS = {
    "leaks": (leaks, "vulnerable"),
    "drops the wrong request": (drops, "correct"),
    "answers the wrong request with less": (cuts_short, "correct"),
    "answers no request": (is_silent, "silent"),
}


def a_responder_is_told_by_what_it_makes_of_heartbeats(case, version=0x0303):
    behaviour, verdict = BEHAVIOURS[case]
    responder = LeakingResponder(IDENTITY, behaviour)
    responder.version = version
    assert ask(responder.serving()) == verdict


def of_a_responder(case):
    return lambda _folder: a_responder_is_told_by_what_it_makes_of_heartbeats(case)


def a_leaking_server_gives_nothing_away_but_what_it_was_sent(_folder):
    responder = LeakingResponder(IDENTITY, leaks)
    verdict = ask(responder.serving())
    assert SECRET[:4] not in responder.sent, "more was asked than had been sent: it gave a secret away"
    assert verdict is Heartbeats.VULNERABLE
    told = [one.fragment for one in RecordReader().feed(responder.sent) if one.kind == HEARTBEAT_RECORD]
    assert [int.from_bytes(one[1:3], "big") for one in told] in ([32], [32, 16])
