"""Behind a handshake: asyncio's transport for an application, encrypting to and decrypting from the TCP beneath."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from typing import Any

from rig.trust.tls.handshake import Ending, Handshake, own_reason, received_alert

Bytes = bytes | bytearray | memoryview
#: How long what is left may take to leave when we hang up.
LINGER_SECONDS = 10.0
#: More than this unsent is a peer that makes us talk and does not listen.
MOST_UNSENT = 1 << 20


class TlsTransport(asyncio.Transport):
    """One for each connection whose handshake completed; notes in its record how the connection ended."""

    def __init__(
        self,
        tcp: asyncio.Transport,
        tls: ssl.SSLObject,
        incoming: ssl.MemoryBIO,
        outgoing: ssl.MemoryBIO,
        handshake: Handshake,
    ):
        super().__init__()
        self._tcp, self._tls, self._incoming, self._outgoing = tcp, tls, incoming, outgoing
        self._handshake = handshake
        self._application: asyncio.BaseProtocol = asyncio.Protocol()
        self._is_held = self._is_closing = False
        self._linger: asyncio.TimerHandle | None = None

    # -- what the connection tells -------------------------------------------------------------------------------------

    def serve(self, application: asyncio.Protocol, *, paused: bool) -> None:
        """Begin: bytes that came with the end of the handshake are handed over."""
        self._application = application
        application.connection_made(self)
        if paused:
            application.pause_writing()
        self.read()

    def feed(self, data: bytes) -> None:
        """Bytes came from the client."""
        self._incoming.write(data)
        self.read()

    def ended(self, ending: Ending) -> None:
        """Note how the connection ends: the first sign of it tells."""
        self._handshake.ending = self._handshake.ending or ending

    def lost(self, error: Exception | None) -> None:
        """The TCP beneath is gone."""
        self.ended("reset" if error is not None else "closed" if self._is_closing else "hung up")
        self._is_closing = True
        if self._linger is not None:
            self._linger.cancel()
        self._application.connection_lost(error)

    def read(self) -> None:
        """Hand over what came, until the application wants no more of it."""
        while isinstance(self._application, asyncio.Protocol) and not (self._is_held or self._is_closing):
            try:
                data = self._tls.read(65536)
            except ssl.SSLWantReadError:
                self._flush()
                return
            except ssl.SSLError as error:
                self._broken(error)
                return
            if not data:
                self._peer_closed()
                return
            self._handshake.received += len(data)
            self._application.data_received(data)

    # -- what an application asks for ----------------------------------------------------------------------------------

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """What is known of the connection; its record is `handshake`."""
        known = {"handshake": self._handshake, "ssl_object": self._tls, "sslcontext": self._tls.context}
        return known[name] if name in known else self._tcp.get_extra_info(name, default)

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        """Let another application go on."""
        self._application = protocol

    def get_protocol(self) -> asyncio.BaseProtocol:
        """The application."""
        return self._application

    def write(self, data: Bytes) -> None:
        """Encrypt and send; after the end it goes nowhere."""
        if self.is_closing():
            return
        rest = memoryview(data).cast("B")
        while rest:
            rest = rest[self._tls.write(rest) :]
        self._flush()

    def can_write_eof(self) -> bool:
        """TLS has no half-closed connections that clients understand."""
        return False

    def close(self) -> None:
        """Send close_notify and hang up, when all is sent."""
        if self.is_closing():
            return
        with contextlib.suppress(ssl.SSLError):  # it wants the client's close_notify, which nobody waits for
            self._tls.unwrap()
        self._flush()
        self.ended("closed")
        self._hang_up()

    def is_closing(self) -> bool:
        """Whether nothing more can be sent."""
        return self._is_closing or self._tcp.is_closing()

    def abort(self) -> None:
        """Hang up at once."""
        self._is_closing = True
        self._tcp.abort()

    def pause_reading(self) -> None:
        """Hand over nothing until told otherwise."""
        self._is_held = True
        if not self._tcp.is_closing():
            self._tcp.pause_reading()

    def resume_reading(self) -> None:
        """Hand over again what comes."""
        self._is_held = False
        if not self._tcp.is_closing():
            self._tcp.resume_reading()
            asyncio.get_running_loop().call_soon(self.read)

    def is_reading(self) -> bool:
        """Whether what comes is handed over."""
        return not (self._is_held or self.is_closing())

    def get_write_buffer_size(self) -> int:
        """Bytes that the system has not taken yet, encrypted."""
        return self._tcp.get_write_buffer_size()

    def get_write_buffer_limits(self) -> tuple[int, int]:
        """Where writing pauses and goes on."""
        return self._tcp.get_write_buffer_limits()

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """Choose where writing pauses and goes on."""
        self._tcp.set_write_buffer_limits(high, low)

    # -- the end -------------------------------------------------------------------------------------------------------

    def _peer_closed(self) -> None:
        self.ended("close_notify")
        self.close()

    def _broken(self, error: ssl.SSLError) -> None:
        """The client's alert, or bytes that nobody encrypted for us."""
        alert = received_alert(error)
        if alert is not None and alert.number == 0:
            self._peer_closed()
            return
        self._handshake.alert = alert
        if alert is None:
            self._handshake.reason = own_reason(error)
        self.ended("alert" if alert is not None else "broken")
        self._flush()
        self._hang_up()

    def _flush(self) -> None:
        if self._outgoing.pending and not self._tcp.is_closing():
            self._tcp.write(self._outgoing.read())
            if self._tcp.get_write_buffer_size() > MOST_UNSENT:
                self.abort()

    def _hang_up(self) -> None:
        self._is_closing = True
        self._linger = close_soon(self._tcp)


def close_soon(transport: asyncio.Transport) -> asyncio.TimerHandle:
    """Hang up when all is sent, and without that when the peer takes too long to read it."""
    transport.close()
    return asyncio.get_running_loop().call_later(LINGER_SECONDS, transport.abort)
