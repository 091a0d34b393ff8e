"""Named checks of test_mutants about heartbeats: servers that leak and that do not, and what is taken of them."""

from __future__ import annotations

import asyncio
import contextlib

from rig.formats.tls_heartbeat import HEARTBEAT_RECORD, Heartbeats
from rig.formats.tls_records import RecordReader
from rig.trust.authority import make_root
from rig.trust.look.refusal import Refusal
from rig.trust.probe.heartbleed import STEPS, heartbeats
from tests.rig.trust.probe.leaking_responder import SECRET, LeakingResponder, Takes, cuts_short, drops, is_silent, leaks
from tests.rig.trust.tls_servers import HOST, LOOPBACK

IDENTITY = make_root("Bleeding Root", key="rsa-2048").issue(HOST, key="rsa-2048")


def ask(serving, **how):
    async def act():
        async with serving as port:
            return await heartbeats((LOOPBACK, port), HOST, **{"answer_seconds": 0.3, "seconds": 5, **how})

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
    responder.takes.version = version
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


def restricted(behaviour=leaks, **takes):
    """A server that answers few hellos."""
    responder = LeakingResponder(IDENTITY, behaviour)
    responder.takes = Takes(**takes)
    return responder


class Mute:
    """Takes connections, and says nothing; counts them, and how many there were at once."""

    def __init__(self):
        self.all = self.open = self.most = 0

    @contextlib.asynccontextmanager
    async def serving(self):
        async with await asyncio.start_server(self._listen, LOOPBACK, 0) as server:
            yield server.sockets[0].getsockname()[1]

    async def _listen(self, reader, writer):
        self.all, self.open = self.all + 1, self.open + 1
        self.most = max(self.most, self.open)
        with contextlib.suppress(ConnectionError):
            await reader.read(-1)
        self.open -= 1
        writer.close()


def who_is_mute_is_waited_for_twice_and_not_once_a_step(_folder):
    """With a name and without one: one hello, then all the others at once."""
    mute, refused = Mute(), None
    try:
        ask(mute.serving(), seconds=0.5)
    except Refusal as refusal:
        refused = refusal
    assert refused is not None
    assert refused.kind == "timeout"
    hellos = sum(len(step) for step, _ in STEPS)
    assert (mute.all, mute.most) == (2 * hellos, hellos - 1)


VERSIONS = {"SSLv3": 0x0300, "TLSv1": 0x0301, "TLSv1.1": 0x0302, "TLSv1.2": 0x0303}
#: What OpenSSL 1.0.1 could be asked for with a certificate, and what it could be built with besides.
SUITES = {
    "AES128-SHA": 0x002F,
    "AES256-SHA256": 0x003D,
    "AES128-GCM-SHA256": 0x009C,
    "DES-CBC3-SHA": 0x000A,
    "RC4-MD5": 0x0004,
    "CAMELLIA128-SHA": 0x0041,
    "SEED-SHA": 0x0096,
    "IDEA-CBC-SHA": 0x0007,
    "EXP-RC4-MD5": 0x0003,
    "DHE-RSA-AES128-SHA256": 0x0067,
    "DHE-RSA-AES256-SHA256": 0x006B,
    "DHE-RSA-AES256-GCM-SHA384": 0x009F,
    "DHE-RSA-CAMELLIA256-SHA": 0x0088,
    "DHE-RSA-SEED-SHA": 0x009A,
    "DHE-DSS-AES128-SHA": 0x0032,
    "ECDHE-RSA-AES128-SHA256": 0xC027,
    "ECDHE-RSA-AES256-SHA384": 0xC028,
    "ECDHE-RSA-RC4-SHA": 0xC011,
    "ECDHE-ECDSA-AES128-SHA256": 0xC023,
    "ECDHE-ECDSA-AES256-SHA384": 0xC024,
    "ECDHE-ECDSA-DES-CBC3-SHA": 0xC008,
    "ECDH-RSA-AES256-SHA384": 0xC02A,
    "ECDH-ECDSA-AES128-SHA": 0xC004,
    "ADH-AES128-SHA": 0x0034,
    "AECDH-AES256-SHA": 0xC019,
    "PSK-AES128-CBC-SHA": 0x008C,
}


def who_takes_one_suite_alone_leaks_by_it(suite, version="TLSv1.2", named=None):
    responder = restricted(suites=(SUITES[suite],), version=VERSIONS[version], named=named)
    assert verdict_of(responder) == "vulnerable", f"a server that takes {suite} alone was called something else"


def of_a_suite(suite):
    return lambda _folder: who_takes_one_suite_alone_leaks_by_it(suite)


def verdict_of(responder, **how):
    """What is said of a responder; `not seen` where nothing is."""
    try:
        return ask(responder.serving(), **how)
    except Refusal:
        return "not seen"


#: What a leaking server is like beside that it leaks.
PECULIAR = {
    "has no default, and wants a name": {"named": True},
    "knows no name, and wants none": {"named": False},
    "chokes on a long hello": {"longest": 255},
    "takes no version that it does not know": {"version": 0x0301, "is_intolerant": True},
    "SSLv3 alone, and minds": {"version": 0x0300, "is_intolerant": True},
    "chokes on a long hello, and on a new version": {"longest": 255, "version": 0x0301, "is_intolerant": True},
    "says nothing of heartbeats": {"announces": False},
}


def who_is_peculiar_leaks_all_the_same(case):
    assert verdict_of(restricted(**PECULIAR[case]), seconds=0.5) == "vulnerable", f"a server that {case}"


def of_the_peculiar(case):
    return lambda _folder: who_is_peculiar_leaks_all_the_same(case)


def hellos_that_are_refused_say_nothing(_folder):
    nobody_has = restricted(suites=(0x1301,))
    assert verdict_of(nobody_has) == "not seen", "who refused every hello was called clean"


def another_server_without_a_name_is_asked_too(_folder, **takes):
    """Behind the name is one without heartbeats; whoever comes without a name meets one that leaks."""
    clean, leaking = restricted(behaviour=is_silent, announces=False), restricted(**takes)

    class Switch(LeakingResponder):
        async def _answer(self, hello, behave, reader, writer):
            chosen = clean if HOST.encode() in hello else leaking
            await chosen._answer(hello, chosen.behaviour, reader, writer)

    assert verdict_of(Switch(IDENTITY, leaks)) == "vulnerable"


def an_old_server_without_a_name_is_asked_too(folder):
    another_server_without_a_name_is_asked_too(folder, **PECULIAR["takes no version that it does not know"])
