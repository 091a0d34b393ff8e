"""Where an authority says what it has taken back: CRLs and OCSP over plain HTTP, for one `async with`."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

from rig.trust.authority import Authority
from rig.trust.revocation import Revocations, revocation_at
from tests.rig.trust.tls_servers import LOOPBACK, talking


class RevocationServer:
    """What it is like can be changed while it runs: `revocations`, by the authority's common name; `spoils` replies."""

    def __init__(self, *authorities: Authority):
        self.revocations = {_name(one): Revocations(one) for one in authorities}
        self.asked: list[str] = []
        self.port = 0
        self.spoils = lambda body: body

    @contextlib.asynccontextmanager
    async def serving(self) -> AsyncIterator[RevocationServer]:
        async with talking(self._serve) as port:
            self.port = port
            yield self

    def of(self, authority: Authority) -> Revocations:
        return self.revocations[_name(authority)]

    def places(self, authority: Authority, *, crl: bool = True, ocsp: bool = True) -> list:
        """What its certificates say of where to ask."""
        crl_url, ocsp_url = (f"http://{LOOPBACK}:{self.port}/{kind}/{_name(authority)}" for kind in ("crl", "ocsp"))
        return revocation_at(crl=crl_url if crl else None, ocsp=ocsp_url if ocsp else None)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        path = head.split()[1]
        lengths = [line.partition(":")[2] for line in head.splitlines() if line.lower().startswith("content-length")]
        request = await reader.readexactly(int(lengths[0])) if lengths else b""
        self.asked.append(path)
        _, kind, name = path.split("/")
        known = self.revocations[name]
        body = self.spoils(known.crl() if kind == "crl" else known.answer(request))
        writer.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % len(body) + body)


def _name(authority: Authority) -> str:
    return authority.certificate.subject.rfc4514_string().removeprefix("CN=").replace(" ", "-")
