"""A TLS endpoint: one port, hosts by name, each with an identity and settings that are swapped while it runs.

Every new handshake meets what its host is now; connections that run are not touched. Who talks behind TLS is not
known here.
"""

from __future__ import annotations

import asyncio
import resource
import socket
import ssl
from collections import deque
from collections.abc import Callable, Mapping
from itertools import count

from rig.errors import Misuse
from rig.formats.tls_records import ClientHello
from rig.trust.authority import Identity
from rig.trust.endpoint_connection import TlsConnection
from rig.trust.endpoint_context import TlsSettings, load_identity
from rig.trust.endpoint_handshake import Handshake

#: Handshakes that are remembered.
MOST_REMEMBERED = 10_000
MOST_CONNECTIONS = 4096
FILES_KEPT = 128
#: How much the system may hold for a peer that has not read it: little, so that what we sent is nearly what came.
SEND_BUFFER = 8192


class EndpointHost:
    """One name and what it shows now."""

    def __init__(self, name: str, identity: Identity, settings: TlsSettings):
        self.name = name
        self.show(identity, settings)

    def show(self, identity: Identity, settings: TlsSettings) -> None:
        """Be this from the next handshake on. Raises Misuse; then it stays what it was."""
        settings.check()
        self.context: ssl.SSLContext = load_identity(identity, settings)
        self.identity, self.settings = identity, settings


class Endpoint:
    """Serves `application()` to every client whose handshake completes.

    `hosts` are identities by the name a client dials (SNI); whoever dials no name or an unknown one meets the first.
    `tell` hears of each handshake when it has ended, and of one that completed again when its connection is over: then
    `ending` says how. Raises Misuse for an identity that cannot be served.
    """

    def __init__(
        self,
        hosts: Mapping[str, Identity],
        application: Callable[[], asyncio.Protocol],
        *,
        settings: TlsSettings | None = None,
        tell: Callable[[Handshake], None] = lambda _handshake: None,
    ):
        if not hosts:
            raise Misuse("an endpoint needs a host to be")
        settings = settings or TlsSettings()
        self.hosts = {name.lower(): EndpointHost(name.lower(), who, settings) for name, who in hosts.items()}
        self.handshakes: deque[Handshake] = deque(maxlen=MOST_REMEMBERED)
        self.application = application
        self._tell = tell
        self._numbers = count(1)
        self._connections: set[TlsConnection] = set()
        self._most_connections = room_for_connections()
        self._server: asyncio.Server | None = None

    async def start(self, host: str, port: int) -> int:
        """Listen; returns the port. Raises OSError when it is taken."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(
            lambda: TlsConnection(self, next(self._numbers)), host, port, backlog=1024
        )
        return int(self._server.sockets[0].getsockname()[1])

    def close(self) -> None:
        """Stop listening, and hang up on everybody."""
        if self._server is not None:
            self._server.close()
        for connection in list(self._connections):
            connection.abort()

    def host(self, name: str | None) -> EndpointHost:
        """A host by its name, None for the first. Raises Misuse."""
        found = next(iter(self.hosts.values())) if name is None else self.hosts.get(name.lower())
        if found is None:
            raise Misuse(f"no host is called {name}", hint=f"one of {', '.join(self.hosts)}")
        return found

    def swap(self, identity: Identity, name: str | None = None) -> Identity:
        """Show another identity from the next handshake on, of one host or (None) the first; returns the former.

        Raises Misuse for an unknown host, or an identity that cannot be served.
        """
        host = self.host(name)
        former = host.identity
        host.show(identity, host.settings)
        return former

    def set(self, settings: TlsSettings, name: str | None = None) -> None:
        """Make handshakes differently from the next one on. Raises Misuse."""
        host = self.host(name)
        host.show(host.identity, settings)

    # -- what connections need -----------------------------------------------------------------------------------------

    def connected(self, connection: TlsConnection) -> bool:
        """Somebody connected; says whether there is room for them."""
        self._connections.add(connection)
        tune(connection.tcp)
        return len(self._connections) <= self._most_connections

    def choose(self, hello: ClientHello | None, handshake: Handshake) -> EndpointHost:
        """The host a client dialled, as it is now."""
        name = hello.server_name if hello is not None else None
        host = self.hosts.get(name or "") or self.host(None)
        handshake.host, handshake.identity = host.name, host.identity.fingerprint
        return host

    def shook(self, handshake: Handshake) -> None:
        """A handshake ended, this way or that."""
        self.handshakes.append(handshake)
        self._tell(handshake)

    def gone(self, connection: TlsConnection) -> None:
        """A connection is over."""
        self._connections.discard(connection)
        if connection.handshake.ending:
            self._tell(connection.handshake)


def tune(transport: asyncio.Transport) -> None:
    """Make a connection tell early what became of what we send: nothing is held back, here or in the system."""
    transport.set_write_buffer_limits(high=0)
    sock: socket.socket | None = transport.get_extra_info("socket")
    if sock is not None:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)


def room_for_connections() -> int:
    """How many connections may be open: as many files as this process may have, with some kept for other things."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MOST_CONNECTIONS + FILES_KEPT
    if soft < wanted:
        soft = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return min(MOST_CONNECTIONS, soft - FILES_KEPT)
