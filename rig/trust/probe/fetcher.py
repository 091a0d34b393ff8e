"""Fetches what certificates point to, CRLs and OCSP responses: by plain HTTP only, bounded, and each thing once."""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import TYPE_CHECKING, Self

from rig.errors import LabFault

if TYPE_CHECKING:
    from aiohttp import ClientSession, StreamReader

#: The web's largest CRLs are of this order; an OCSP response is of a few KiB.
LONGEST_CRL, LONGEST_RESPONSE = 16 * 1024 * 1024, 64 * 1024
SECONDS = 10.0


class FetchFailed(LabFault):
    """Nothing usable is at a URL; says why."""


class Fetcher:
    """One for a whole probe: `async with Fetcher() as fetcher`."""

    def __init__(self, seconds: float = SECONDS):
        self._seconds = seconds
        self._session: ClientSession | None = None
        self._fetched: dict[tuple[str, bytes | None], asyncio.Task[bytes]] = {}

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for task in self._fetched.values():
            task.cancel()
        await asyncio.gather(*self._fetched.values(), return_exceptions=True)
        if self._session is not None:
            await self._session.close()

    async def crl(self, url: str) -> bytes:
        """What is at the URL. Raises FetchFailed."""
        return await self._once(url, None)

    async def ask(self, url: str, request: bytes) -> bytes:
        """What an OCSP responder answers. Raises FetchFailed."""
        return await self._once(url, request)

    async def _once(self, url: str, request: bytes | None) -> bytes:
        if not url.lower().startswith("http://"):
            raise FetchFailed(f"{url} is not fetched: it is no http URL")
        task = self._fetched.get((url, request))
        if task is None:
            task = self._fetched[url, request] = asyncio.create_task(self._fetch(url, request))
        return await asyncio.shield(task)

    async def _fetch(self, url: str, request: bytes | None) -> bytes:
        import aiohttp

        if self._session is None:
            self._session = aiohttp.ClientSession(auto_decompress=False)
        most = LONGEST_CRL if request is None else LONGEST_RESPONSE
        headers = {} if request is None else {"Content-Type": "application/ocsp-request"}
        method = "GET" if request is None else "POST"
        try:
            async with (
                asyncio.timeout(self._seconds),
                self._session.request(method, url, data=request, headers=headers, allow_redirects=False) as reply,
            ):
                if reply.status != 200:
                    raise FetchFailed(f"{url} answers {reply.status}")
                return await _bounded(reply.content, most, url)
        except TimeoutError:
            raise FetchFailed(f"{url} did not answer within {self._seconds:g} s") from None
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise FetchFailed(
                f"{url} cannot be fetched: {' '.join(str(error).split()) or type(error).__name__}"
            ) from None


async def _bounded(content: StreamReader, most: int, url: str) -> bytes:
    data = bytearray()
    async for piece in content.iter_chunked(65536):
        data += piece
        if len(data) > most:
            raise FetchFailed(f"{url} is longer than {most} bytes")
    return bytes(data)
