"""TLS servers to look at: our endpoint, OpenSSL's s_server, and servers that are no good; each for one `async with`."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

from rig.trust.identity import Identity, pem
from rig.trust.tls.context import TlsSettings
from rig.trust.tls.endpoint import Endpoint
from tests.rig.installed import installed
from tests.rig.waiting import HANGS

HOST = "ota.rig.test"
LOOPBACK = "127.0.0.1"


@contextlib.asynccontextmanager
async def endpoint(identity: Identity, address: str = LOOPBACK, port: int = 0, **settings) -> AsyncIterator[int]:
    """Ours; yields its port."""
    served = Endpoint({HOST: identity}, asyncio.Protocol, settings=TlsSettings(**settings))
    try:
        yield await served.start(address, port)
    finally:
        served.close()


@contextlib.asynccontextmanager
async def s_server(folder: Path, identity: Identity, *words: str, second: Identity | None = None) -> AsyncIterator[int]:
    """OpenSSL's, with one identity or two of different kinds of keys; yields its port."""
    command = [installed("openssl"), "s_server", "-accept", f"{LOOPBACK}:0", "-naccept", "1000", *words]
    for dash, one in (("", identity), ("d", second)):
        if one is not None:
            chain, key, behind = (folder / f"{dash}{kind}.pem" for kind in ("chain", "key", "behind"))
            one.store(chain, key)
            behind.write_bytes(b"".join(map(pem, one.chain[1:])))
            command += [f"-{dash}cert", str(chain), f"-{dash}key", str(key)]
            command += [f"-{dash}cert_chain", str(behind)] if one.chain[1:] else []
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        *command, stdin=pipe, stdout=pipe, stderr=asyncio.subprocess.STDOUT, cwd=folder
    )
    try:
        said = b""
        async with asyncio.timeout(HANGS):
            while not (line := await process.stdout.readline()).startswith(b"ACCEPT"):
                assert line, f"s_server did not start: {said}"
                said += line
        draining = asyncio.create_task(process.stdout.read())
        yield int(line.rsplit(b":", 1)[1])
        draining.cancel()
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()


Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@contextlib.asynccontextmanager
async def talking(talk: Talk, address: str = LOOPBACK) -> AsyncIterator[int]:
    """A server that does this with each client, and then hangs up; yields its port."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.CancelledError):
            await talk(reader, writer)
        writer.close()

    server = await asyncio.start_server(serve, address, 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
