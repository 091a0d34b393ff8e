"""What an endpoint serves: one handshake that looks, and trusts nothing of what it sees."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from OpenSSL import SSL

from rig.formats.tls_records import ALERT, CHANGE_CIPHER_SPEC, HANDSHAKE, Alert
from rig.ports import format_address
from rig.trust.certificate_errors import UNREADABLE
from rig.trust.look.busy_aware_timeout import BusyAwareTimeout
from rig.trust.look.dialling import connect, sni_name
from rig.trust.look.offer import Noted, Offer
from rig.trust.look.refusal import Refusal, RefusalKind

#: A server's share of a handshake is never more than this; OpenSSL stops at 100 KiB of certificates.
MOST_RECEIVED = 256 * 1024
#: For a whole look, from the name to the last byte.
SECONDS = 10.0
_SHOWN = (HANDSHAKE, ALERT, CHANGE_CIPHER_SPEC)


@dataclass(frozen=True, slots=True)
class Served:
    """What was shown: the chain exactly as it was sent, and what the handshake came to.

    `peer` is who answered (IP address, port). `staple` is an OCSP response, DER. When the handshake did not complete
    although certificates came, `completed` is false, `trouble` and `ended` say why; `version` and `cipher` are then
    what was chosen so far.
    """

    peer: tuple[str, int]
    name: str | None
    chain: tuple[x509.Certificate, ...] = field(repr=False)
    version: str
    cipher: str | None
    staple: bytes | None = field(default=None, repr=False)
    completed: bool = True
    trouble: RefusalKind | None = None
    ended: str = ""

    @property
    def leaf(self) -> x509.Certificate:
        """The server's own certificate."""
        return self.chain[0]

    @property
    def fingerprints(self) -> tuple[str, ...]:
        """SHA-256 of each certificate, hexadecimal, as they were sent."""
        return tuple(certificate.fingerprint(hashes.SHA256()).hex() for certificate in self.chain)


async def fetch(
    address: tuple[str, int], name: str | None, *, offer: Offer | None = None, seconds: float = SECONDS
) -> Served:
    """Shake hands with who listens at `address` (host name or IP address, port), dialling `name` (SNI; None: nobody).

    An IP address as `name` is not sent, since SNI knows none (RFC 6066 §3). Takes `seconds` at the most, holds a few
    hundred KiB at most, and raises Refusal where no certificates came, Misuse for what cannot be dialled or offered.
    """
    look, timeout = _Look(address, name, offer or Offer()), BusyAwareTimeout(seconds)
    try:
        async with timeout:
            await _shake_hands(look)
    except TimeoutError:
        look.stop("timeout", f"{'was not through' if look.received else 'is silent'} after {seconds:g} s")
    if timeout.is_lost or (timeout.is_late and look.was_left):
        look.stop("busy", f"was not seen: this machine was {timeout.late:.1f} s late itself")
    return look.served()


async def _shake_hands(look: _Look) -> None:
    reader, writer = await connect(look.address)
    try:
        look.peer = writer.get_extra_info("peername")[:2]
        while not look.is_over:
            writer.write(look.to_send())
            look.feed(await reader.read(16384))
        writer.write(look.to_send())
    except TimeoutError:
        raise
    except OSError:
        look.stop("reset", "hung up with a reset")
    finally:
        writer.close()


class _Look:
    """The client's side of a handshake between memory buffers: bytes in, bytes out."""

    def __init__(self, address: tuple[str, int], name: str | None, offer: Offer):
        self.address = self.peer = address
        self._name, self._noted = name, Noted()
        self._tls = SSL.Connection(offer.context(), None)
        self._tls.set_app_data(self._noted)
        self._tls.request_ocsp()
        if (dialled := sni_name(name)) is not None:
            self._tls.set_tlsext_host_name(dialled.encode())
        self._tls.set_connect_state()
        self.received = 0
        self._first = b""
        self.is_over = False
        self._trouble: tuple[RefusalKind, str] | None = None
        self._shake()

    def to_send(self) -> bytes:
        """What OpenSSL wants sent."""
        sent = b""
        with contextlib.suppress(SSL.WantReadError):
            while True:
                sent += self._tls.bio_read(65536)
        return sent

    def feed(self, data: bytes) -> None:
        """Bytes of the server's; none when it has hung up."""
        self.received += len(data)
        self._first = (self._first + data[:5])[:5] if len(self._first) < 5 else self._first
        if not data:
            self.stop("closed", "hung up in the middle" if self._first else "hung up without a word")
        elif self._first[0] not in _SHOWN or self._first[1:2] not in (b"", b"\x03"):
            self.stop("not TLS", "does not speak TLS")
        elif self.received > MOST_RECEIVED:
            self.stop("too much", f"sent more than {MOST_RECEIVED // 1024} KiB")
        else:
            self._tls.bio_write(data)
            self._shake()

    def stop(self, kind: RefusalKind, said: str) -> None:
        """It ends here, and did not complete."""
        self.is_over, self._trouble = True, (kind, said)

    @property
    def was_left(self) -> bool:
        """Whether the server hung up in the middle, as it does when a client is too slow."""
        return self._trouble is not None and self._trouble[0] in ("closed", "reset")

    def served(self) -> Served:
        """What was seen. Raises Refusal."""
        kind, said = self._trouble or (None, "")
        alert = Alert(self._noted.alert) if self._noted.alert is not None else None
        if kind == "alert" and alert is not None:
            said = f"ended the handshake: {alert}"
        try:
            chain = tuple(self._tls.get_peer_cert_chain(as_cryptography=True) or ())
        except UNREADABLE as error:
            text = f"{format_address(*self.address)} serves a certificate that cannot be read: {error}"
            raise Refusal("broken", text) from None
        if not chain:
            raise Refusal(kind or "broken", f"{format_address(*self.address)} {said or 'shows no certificate'}", alert)
        version, cipher = self._tls.get_protocol_version_name(), self._tls.get_cipher_name()
        return Served(self.peer, self._name, chain, version, cipher, self._noted.staple, kind is None, kind, said)

    def _shake(self) -> None:
        try:
            self._tls.do_handshake()
        except SSL.WantReadError:
            return
        except SSL.Error as error:
            self.stop(*self._reason(error))
            return
        self.is_over = True
        with contextlib.suppress(SSL.Error):
            self._tls.shutdown()

    def _reason(self, error: SSL.Error) -> tuple[RefusalKind, str]:
        reasons = error.args[0] if error.args and isinstance(error.args[0], list) else []
        said = reasons[-1][-1] if reasons else type(error).__name__
        if self._noted.is_fatal or (self._noted.alert is not None and "alert" in said):
            return "alert", said
        if said in ("unsupported protocol", "wrong ssl version"):
            return "version", "chose a TLS version that was not offered"
        if said == "excessive message size":
            return "too much", "sent more certificates than OpenSSL takes"
        return "broken", f"broke off the handshake: {said}"
