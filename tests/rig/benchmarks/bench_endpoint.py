"""Handshakes a second while the identity is swapped ten times a second, and none fails: `pytest -s` on this file.

The peer is asyncio's own TLS server with one identity that never changes, in turn with ours: the medians of the pairs
are told. Clients and server share the machine; TLS 1.2 and a P-256 leaf, as ESP32s meet them. Then the throughput of
one download by curl.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import ssl
import statistics
import time
from dataclasses import dataclass

from rig.trust.authority import make_root
from rig.trust.identity import Identity
from rig.trust.tls.context import TlsSettings, load_identity
from rig.trust.tls.endpoint import Endpoint
from tests.rig.servers.https.https_lab import HOST, https_lab

SECONDS = float(os.environ.get("RIG_BENCH_SECONDS", "1"))
ROUNDS, CLIENTS = 5, 4
SWAP_SECONDS = 0.1


class Silent(asyncio.Protocol):
    """An application that says nothing."""


def trusting(folder, root) -> ssl.SSLContext:
    from rig.trust.identity import pem

    (folder / "root.pem").write_bytes(pem(root.certificate))
    context = ssl.create_default_context(cafile=str(folder / "root.pem"))
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    return context


async def handshakes(port: int, context: ssl.SSLContext) -> tuple[float, int, set[bytes]]:
    """Handshakes a second of a few clients at once, how many, and the certificates they saw.

    Raises what any of them meets.
    """
    seen: set[bytes] = set()
    count = 0

    async def client() -> None:
        nonlocal count
        while time.monotonic() < deadline:
            _, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context, server_hostname=HOST)
            seen.add(writer.get_extra_info("ssl_object").getpeercert(binary_form=True))
            count += 1
            writer.transport.abort()

    began = time.monotonic()
    deadline = began + SECONDS
    await asyncio.gather(*(client() for _ in range(CLIENTS)))
    return count / (time.monotonic() - began), count, seen


async def swapping(endpoint: Endpoint, identities: list[Identity]) -> None:
    number = 0
    while True:
        await asyncio.sleep(SWAP_SECONDS)
        number += 1
        endpoint.swap(identities[number % len(identities)])


@dataclass
class Round:
    """Handshakes a second, and what one costs in processor time (client and server): neighbours disturb that less."""

    rate: float
    seconds: float
    seen: set[bytes]

    @classmethod
    async def of(cls, port: int, context: ssl.SSLContext) -> Round:
        began = time.process_time()
        rate, count, seen = await handshakes(port, context)
        return cls(rate, (time.process_time() - began) / count, seen)


def test_handshakes_while_swapping(tmp_path):
    root = make_root("Bench")
    identities = [root.intermediate(f"I{number}").issue(HOST) for number in range(8)]
    context = trusting(tmp_path, root)

    async def ours() -> Round:
        endpoint = Endpoint({HOST: identities[0]}, Silent)
        port = await endpoint.start("127.0.0.1", 0)
        swaps = asyncio.ensure_future(swapping(endpoint, identities))
        told = await Round.of(port, context)
        swaps.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await swaps
        assert {each.outcome for each in endpoint.handshakes} == {"completed"}
        endpoint.close()
        return told

    async def peer() -> Round:
        server = await asyncio.get_running_loop().create_server(
            Silent, "127.0.0.1", 0, ssl=load_identity(identities[0], TlsSettings())
        )
        told = await Round.of(server.sockets[0].getsockname()[1], context)
        server.close()
        return told

    pairs = [(asyncio.run(ours()), asyncio.run(peer())) for _ in range(ROUNDS)]
    rate = statistics.median(mine.rate for mine, _ in pairs)
    ratio = statistics.median(mine.rate / theirs.rate for mine, theirs in pairs)
    cost = statistics.median(mine.seconds / theirs.seconds for mine, theirs in pairs)
    seen = set.union(*(mine.seen for mine, _ in pairs))
    print(
        f"\n{rate:.0f} handshakes/s over {len(seen)} identities; of asyncio's own rate {ratio:.2f}, its work {cost:.2f}"
    )
    assert len(seen) > 1


def test_throughput_of_a_download(tmp_path):
    with https_lab(tmp_path) as lab:
        image = lab.publish(os.urandom(4 << 20))
        began = time.monotonic()
        assert lab.curl().body == image
        seconds = time.monotonic() - began
    print(f"\n4 MiB in {seconds:.2f} s: {len(image) / seconds / 1e6:.0f} MB/s, curl's start included")
