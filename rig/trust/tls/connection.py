"""The server's side of one TLS handshake: OpenSSL between memory buffers, with an eye on the client's records.

Nothing of a client's evidence is lost: its ClientHello and its alerts are read before and beside OpenSSL. What comes
after the handshake is `rig.trust.tls.transport`'s.
"""

from __future__ import annotations

import asyncio
import ssl
import time
from typing import Protocol

from rig.formats.tls_records import Alert, ClientHello, ClientRecords, Malformed
from rig.ports import format_address
from rig.trust.tls.context import HandshakeContexts, TlsSettings
from rig.trust.tls.handshake import Handshake, Outcome, own_reason, received_alert
from rig.trust.tls.transport import TlsTransport, close_soon

#: How long a client may take for its share of a handshake: a board that was reset in the middle is gone
#: (esp_http_client's timeout).
HANDSHAKE_SECONDS = 10.0
#: More than this is no client's share of a handshake.
MOST_RECEIVED = 64 * 1024


class Shown(Protocol):
    """What a client is to meet."""

    settings: TlsSettings
    context: ssl.SSLContext
    handshake_contexts: HandshakeContexts


class Host(Protocol):
    """What a connection needs of its endpoint."""

    def connected(self, connection: TlsConnection) -> None:
        """Somebody connected."""

    def choose(self, hello: ClientHello | None, handshake: Handshake) -> Shown:
        """What this client is to meet, from now on; notes it in the record."""

    def application(self) -> asyncio.Protocol:
        """Who talks with a client whose handshake completed."""

    def handshake_ended(self, handshake: Handshake) -> None:
        """A handshake ended, this way or that."""

    def gone(self, connection: TlsConnection) -> None:
        """The connection is over."""


class TlsConnection(asyncio.Protocol):
    """Handshake, with a deadline; then plain bytes to and from an application."""

    def __init__(self, host: Host, number: int):
        self._host = host
        self._loop = asyncio.get_running_loop()
        self.handshake = Handshake(number, "?", time.monotonic_ns())
        self.tcp: asyncio.Transport
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._records = ClientRecords()
        self._tls: ssl.SSLObject | None = None
        self._transport: TlsTransport | None = None
        self._application: asyncio.Protocol | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._is_delayed = self._is_paused = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Wait for a ClientHello."""
        assert isinstance(transport, asyncio.Transport)
        self.tcp = transport
        address = transport.get_extra_info("peername")
        self.handshake.peer = format_address(*address[:2]) if address else "?"
        self._host.connected(self)
        self._timer = self._loop.call_later(HANDSHAKE_SECONDS, self._give_up, "timeout", "not through in time")

    def data_received(self, data: bytes) -> None:
        """Bytes of the client's."""
        if self._transport is not None:
            self._transport.feed(data)
        elif self.handshake.outcome == "running":
            self._incoming.write(data)
            self._look(data)
            if self._incoming.pending > MOST_RECEIVED:
                self._give_up("closed", "talks without end")
            else:
                self._shake()

    def eof_received(self) -> bool:
        """The client will send no more."""
        if self.handshake.outcome == "running":
            self._finish("aborted" if self._alert is not None else "hung up")
        if self._transport is not None:
            self._transport.ended("hung up")
        self._hang_up()
        return True  # it is hung up already

    def connection_lost(self, error: Exception | None) -> None:
        """It is over."""
        if self.handshake.outcome == "running":
            lost: Outcome = "closed" if error is None else "timeout" if isinstance(error, TimeoutError) else "reset"
            self._finish("aborted" if self._alert is not None else lost)
        self._cancel_timer()
        if self._transport is not None:
            self._transport.lost(error)
        self._host.gone(self)

    def pause_writing(self) -> None:
        """The system takes no more for now."""
        self._is_paused = True
        if self._application is not None:
            self._application.pause_writing()

    def resume_writing(self) -> None:
        """The system has taken all."""
        self._is_paused = False
        if self._application is not None:
            self._application.resume_writing()

    # -- the handshake -------------------------------------------------------------------------------------------------

    def _look(self, data: bytes) -> None:
        """Read what is readable without a key, and begin once it is known who is dialled."""
        try:
            self._records.feed(data)
        except Malformed:
            if self._tls is None:
                self._begin(None)  # OpenSSL tells the client, and the record, what is wrong with it
        if self._tls is None and self._records.hello is not None:
            self._begin(self._records.hello)

    def _begin(self, hello: ClientHello | None) -> None:
        self.handshake.hello = hello
        shown = self._host.choose(hello, self.handshake)
        begun = shown.handshake_contexts.context(hello)
        self._tls = begun.wrap_bio(self._incoming, self._outgoing, server_side=True)
        self._tls.context = shown.context
        if shown.settings.delay:
            self._cancel_timer()
            self._is_delayed = True
            self._timer = self._loop.call_later(shown.settings.delay, self._delayed)

    def _delayed(self) -> None:
        """We were silent for long enough; the client's time begins anew."""
        self._is_delayed = False
        self._timer = self._loop.call_later(HANDSHAKE_SECONDS, self._give_up, "timeout", "not through in time")
        self._shake()

    def _shake(self) -> None:
        if self._tls is None or self._is_delayed:
            return
        try:
            self._tls.do_handshake()
        except ssl.SSLWantReadError:
            self._flush()
        except ssl.SSLError as error:
            self._failed(error)
        else:
            self._completed(self._tls)

    def _failed(self, error: ssl.SSLError) -> None:
        self.handshake.alert = self._alert or received_alert(error)
        if self.handshake.alert is not None:
            self._finish("aborted")
        else:
            self._finish("refused", own_reason(error))
        self._flush()
        self._hang_up()

    def _completed(self, tls: ssl.SSLObject) -> None:
        cipher = tls.cipher()
        self.handshake.version, self.handshake.cipher = tls.version(), cipher[0] if cipher else None
        self._flush()
        self._transport = TlsTransport(self.tcp, tls, self._incoming, self._outgoing, self.handshake)
        self._finish("completed")
        self._application = self._host.application()
        self._transport.serve(self._application, paused=self._is_paused)

    def _finish(self, outcome: Outcome, reason: str = "") -> None:
        """The handshake is over: this is how."""
        self._cancel_timer()
        self.handshake.alert = self.handshake.alert or self._alert
        self.handshake.outcome, self.handshake.reason = outcome, reason
        self.handshake.seconds = (time.monotonic_ns() - self.handshake.at_ns) / 1e9
        self._host.handshake_ended(self.handshake)

    @property
    def _alert(self) -> Alert | None:
        """An alert that the client sent without encryption."""
        return self._records.alert

    # -- the end -------------------------------------------------------------------------------------------------------

    def abort(self) -> None:
        """Hang up at once."""
        self.tcp.abort()

    def _give_up(self, outcome: Outcome, reason: str) -> None:
        self._finish(outcome, reason)
        self.tcp.abort()

    def _flush(self) -> None:
        if self._outgoing.pending:
            self.tcp.write(self._outgoing.read())

    def _hang_up(self) -> None:
        self._cancel_timer()
        self._timer = close_soon(self.tcp)

    def _cancel_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
