"""Named checks of test_mutants about looking at what an endpoint serves: as it is sent, and proved by its key."""

from __future__ import annotations

import asyncio

from rig.clock import Clock
from rig.trust.authority import make_root
from rig.trust.look.offer import Offer
from rig.trust.look.served import fetch
from rig.trust.remote import shown_chain
from tests.rig.trust.probe.leaking_responder import hello_flight
from tests.rig.trust.remote.checks_nginx import refused
from tests.rig.trust.tls_servers import HOST, LOOPBACK, endpoint, talking

ROOT = make_root("Look Root")
MIDDLE = ROOT.intermediate("Look Intermediate")
ECDSA, RSA = MIDDLE.issue(HOST), MIDDLE.issue(HOST, key="rsa-2048")
CHAINS = {
    "as it should be": ECDSA.chain,
    "with its root": (*ECDSA.chain, ROOT.certificate),
    "the wrong way round": (ECDSA.leaf, ROOT.certificate, MIDDLE.certificate),
    "one certificate twice": (ECDSA.leaf, MIDDLE.certificate, MIDDLE.certificate),
    "the leaf alone": (ECDSA.leaf,),
}


def look(serving, name=HOST, seconds=5.0, **offer):
    """What is seen at a server."""

    async def act():
        async with serving as port:
            return await fetch((LOOPBACK, port), name, offer=Offer(**offer), seconds=seconds)

    return asyncio.run(act())


def a_chain_is_seen_as_it_is_sent(case, version="TLSv1.3"):
    seen = look(endpoint(ECDSA.serving(*CHAINS[case][1:]), minimum=version, maximum=version))
    assert (seen.chain, seen.version, seen.completed, seen.ended) == (CHAINS[case], version, True, "")


def of_a_chain(case):
    return lambda _folder: a_chain_is_seen_as_it_is_sent(case)


async def certifies_and_leaves(reader, writer):
    """It has the certificates, and not the key."""
    await reader.read(4096)
    writer.write(hello_flight(RSA, heartbeats=False))
    await reader.read(4096)


def certificates_without_their_key_are_not_what_was_swapped_in(_folder):
    async def act():
        async with talking(certifies_and_leaves) as port:
            places = [(LOOPBACK, port)]
            how = {"seconds": 0.5, "clock": Clock()}
            return await asyncio.to_thread(shown_chain.await_chain, places, [HOST], RSA.chain, **how)

    fault = refused(lambda: asyncio.run(act()))
    assert fault is not None, "certificates were taken for a server's which has not their key"
    assert "the handshake failed" in fault.message
