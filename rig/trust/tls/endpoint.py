"""A TLS endpoint: one port, hosts by name, each with an identity and settings that are swapped while it runs.

Every new handshake meets what its host is now; connections that run are not touched. Who talks behind TLS is not
known here.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
import time
from collections.abc import Callable, Mapping
from itertools import count

from rig.bounded_log import BoundedLog
from rig.errors import Misuse
from rig.formats.tls_records import ClientHello
from rig.limits import HTTPS, MIB, MOST_ENTRIES, Limits
from rig.listener import Listener
from rig.trust.identity import Identity
from rig.trust.tls.connection import TlsConnection
from rig.trust.tls.context import HandshakeContexts, TlsSettings, load_identity
from rig.trust.tls.handshake import Handshake

#: Handshakes that are remembered, and what they take; one of a usual client takes 2 KB.
MOST_REMEMBERED, MOST_REMEMBERED_BYTES = 10_000, 16 * MIB
#: How much the system may hold for a peer that has not read it: little, so that what we sent is nearly what came.
SEND_BUFFER = 8192


class EndpointHost:
    """One name and what it shows now."""

    context: ssl.SSLContext
    identity: Identity
    #: SHA-256 of the leaf, hexadecimal.
    fingerprint: str
    settings: TlsSettings
    handshake_contexts: HandshakeContexts

    def __init__(self, name: str, identity: Identity, settings: TlsSettings):
        self.name = name
        self.show(identity, settings)

    def show(self, identity: Identity, settings: TlsSettings) -> None:
        """Be this from the next handshake on. Raises Misuse; then it stays what it was."""
        self.showing(identity, settings)()

    def showing(self, identity: Identity, settings: TlsSettings) -> Callable[[], None]:
        """What makes it be this from the next handshake on; nothing can go wrong then. Raises Misuse."""
        settings.check()
        context, fingerprint = load_identity(identity, settings), identity.fingerprint

        def show() -> None:
            self.context, self.identity, self.fingerprint = context, identity, fingerprint
            self.settings, self.handshake_contexts = settings, HandshakeContexts(settings)

        return show


class Endpoint:
    """Serves `application()` to every client whose handshake completes.

    `hosts` are identities by the name a client dials (SNI); whoever dials no name or an unknown one meets the first.
    `on_handshake` gets each handshake when it has ended, and one that completed once more when its connection
    is over: `ending` says how. Raises Misuse for an identity that cannot be served.
    """

    def __init__(
        self,
        hosts: Mapping[str, Identity],
        application: Callable[[], asyncio.Protocol],
        *,
        settings: TlsSettings | None = None,
        on_handshake: Callable[[Handshake], None] = lambda _handshake: None,
        limits: Limits = HTTPS,
    ):
        if not hosts:
            raise Misuse("an endpoint needs a host to be")
        settings = settings or TlsSettings()
        self.hosts = {name.lower(): EndpointHost(name.lower(), who, settings) for name, who in hosts.items()}
        self.handshakes = BoundedLog(MOST_REMEMBERED, MOST_REMEMBERED_BYTES, Handshake.size)
        self.application = application
        self._on_handshake = on_handshake
        #: What one client alone meets, by its address and the host's name.
        self._alone: dict[tuple[str, str], EndpointHost] = {}
        self._numbers = count(1)
        self._connections: set[TlsConnection] = set()
        self._limits = limits
        self._listener: Listener | None = None

    async def start(self, host: str, port: int) -> int:
        """Listen; returns the port. Raises OSError when it is taken."""
        self._listener = Listener(lambda: TlsConnection(self, next(self._numbers)), self._limits, refused=self._refused)
        return await self._listener.start(host, port)

    def close(self) -> None:
        """Stop listening, and hang up on everybody."""
        if self._listener is not None:
            self._listener.close()
        for connection in list(self._connections):
            connection.abort()

    def host(self, name: str | None) -> EndpointHost:
        """A host by its name, None for the first. Raises Misuse."""
        found = next(iter(self.hosts.values())) if name is None else self.hosts.get(name.lower())
        if found is None:
            raise Misuse(f"no host is called {name}", hint=f"one of {', '.join(self.hosts)}")
        return found

    def swap(self, identity: Identity, name: str | None = None, client: str | None = None) -> Identity:
        """Show another identity from the next handshake on, of one host or (None) the first; returns the former.

        With `client` only whoever comes from that address meets it, as with a host of several servers.
        Raises Misuse for an unknown host, or an identity that cannot be served.
        """
        host = self.met_by(client, name)
        former = host.identity
        host.show(identity, host.settings)
        self._keep(host, client)
        return former

    def set(self, settings: TlsSettings, name: str | None = None, client: str | None = None) -> None:
        """Make handshakes differently from the next one on. Raises Misuse."""
        self.set_all({self.host(name).name: settings}, client)

    def set_all(self, settings: Mapping[str, TlsSettings], client: str | None = None) -> None:
        """The same for several hosts, by name: all, or with Misuse none."""
        hosts = [(self.met_by(client, name), wanted) for name, wanted in settings.items()]
        changes = [host.showing(host.identity, wanted) for host, wanted in hosts]
        for (host, _), change in zip(hosts, changes, strict=True):
            change()
            self._keep(host, client)

    def met_by(self, client: str | None, name: str | None) -> EndpointHost:
        """What is shown as a host to one client alone, or (None) to everybody. Raises Misuse for an unknown host."""
        host = self.host(name)
        if client is None:
            return host
        return self._alone.get((client, host.name)) or EndpointHost(host.name, host.identity, host.settings)

    def _keep(self, host: EndpointHost, client: str | None) -> None:
        """A client meets this alone from now on, whatever becomes of what everybody meets."""
        if client is None:
            return
        if (client, host.name) not in self._alone and len(self._alone) >= MOST_ENTRIES:
            raise Misuse("too many clients meet something of their own", hint="forget some")
        self._alone[client, host.name] = host

    def forget(self, client: str) -> None:
        """Show a client again what everybody meets."""
        self._alone = {key: host for key, host in self._alone.items() if key[0] != client}

    # -- what connections need -----------------------------------------------------------------------------------------

    def connected(self, connection: TlsConnection) -> None:
        """Somebody connected."""
        self._connections.add(connection)
        tune(connection.tcp)

    def _refused(self, peer: str) -> None:
        """One connection too many: it has its record, too."""
        handshake = Handshake(next(self._numbers), peer, time.monotonic_ns())
        handshake.outcome, handshake.reason = "closed", "too many connections"
        self.handshake_ended(handshake)

    def choose(self, hello: ClientHello | None, handshake: Handshake) -> EndpointHost:
        """The host a client dialled, as it is now."""
        name = hello.server_name if hello is not None else None
        host = self.hosts.get(name or "") or self.host(None)
        host = self._alone.get((handshake.client, host.name), host)
        handshake.host, handshake.identity = host.name, host.fingerprint
        return host

    def handshake_ended(self, handshake: Handshake) -> None:
        """A handshake ended, this way or that."""
        self.handshakes.append(handshake)
        self._on_handshake(handshake)

    def gone(self, connection: TlsConnection) -> None:
        """A connection is over."""
        self._connections.discard(connection)
        if connection.handshake.ending:
            self._on_handshake(connection.handshake)


def tune(transport: asyncio.Transport) -> None:
    """Make a connection tell early what became of what we send: nothing is held back, here or in the system."""
    transport.set_write_buffer_limits(high=0)
    sock: socket.socket | None = transport.get_extra_info("socket")
    if sock is not None:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)
