"""Whether an endpoint leaks its memory by heartbeats (CVE-2014-0160): asked once, and harmlessly.

Why it is harmless is said at `rig.formats.tls_heartbeat`. It is for endpoints that somebody named, and for no others.
"""

from __future__ import annotations

import asyncio
import os

from rig.formats.tls_heartbeat import Heartbeats, HeartbeatTest
from rig.formats.tls_records import Malformed
from rig.trust.look.dialling import connect, sni_name, told
from rig.trust.look.refusal import Refusal

#: How long a server that takes heartbeats may be silent to two of them.
PATIENCE = 3.0


async def heartbeats(
    address: tuple[str, int], name: str | None, *, seconds: float = 10.0, patience: float = PATIENCE
) -> Heartbeats:
    """What the endpoint at `address` (host name or IP address, port) makes of heartbeats, dialled as `name`.

    Takes `seconds` at most. Raises Refusal where it did not come to the question, Misuse for what cannot be dialled.
    A server that takes no version before TLS 1.3 has none to leak by: `Heartbeats.NONE`.
    """
    test = HeartbeatTest(sni_name(name), os.urandom(96))
    try:
        async with asyncio.timeout(seconds):
            return await _ask(address, test, patience)
    except TimeoutError:
        raise Refusal("timeout", f"{told(address)} did not come to heartbeats in {seconds:g} s") from None


async def _ask(address: tuple[str, int], test: HeartbeatTest, patience: float) -> Heartbeats:
    reader, writer = await connect(address)
    asked = False
    try:
        while test.verdict is None:
            if sent := test.to_send():
                writer.write(sent)
            data = await _read(reader, patience if asked else None)
            if not data:
                test.ended()
                break
            test.feed(data)
            asked = test.is_asking
    except Malformed as error:
        raise Refusal("not TLS", f"{told(address)} answered a hello with what is no TLS: {error}") from None
    except ConnectionError:
        test.ended()
    finally:
        writer.close()
    if test.verdict is None:
        raise Refusal("closed", f"{told(address)} hung up before it was asked for a heartbeat")
    return test.verdict


async def _read(reader: asyncio.StreamReader, patience: float | None) -> bytes:
    """What comes next; nothing when the server hung up, or tries our patience."""
    if patience is None:
        return await reader.read(16384)
    try:
        return await asyncio.wait_for(reader.read(16384), patience)
    except TimeoutError:
        return b""
