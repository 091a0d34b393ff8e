"""What a client offers in a handshake, so that a server shows what it does for such a client."""

from __future__ import annotations

import functools
from dataclasses import dataclass

from OpenSSL import SSL
from OpenSSL._util import lib

from rig.errors import Misuse

#: The level of an alert that ends a connection (RFC 5246 §7.2).
FATAL = 2
VERSIONS = {
    "TLSv1": SSL.TLS1_VERSION,
    "TLSv1.1": SSL.TLS1_1_VERSION,
    "TLSv1.2": SSL.TLS1_2_VERSION,
    "TLSv1.3": SSL.TLS1_3_VERSION,
}


#: Few servers have keys on these curves, and those show nothing to who does not know them.
BRAINPOOL = ("brainpoolP256r1", "brainpoolP384r1", "brainpoolP512r1")


@dataclass(frozen=True, slots=True)
class Offer:
    """Versions from `minimum` to `maximum`; `ciphers` of TLS 1.2 and before, `suites` of TLS 1.3, `groups` and
    `signatures` (none: all that OpenSSL has), best first, all as OpenSSL writes them. The default is all that a server
    could want, old and new.
    """

    minimum: str = "TLSv1"
    maximum: str = "TLSv1.3"
    ciphers: str = "DEFAULT"
    suites: str = "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256"
    groups: tuple[str, ...] = ("X25519", "P-256", "P-384", "P-521", *BRAINPOOL)
    signatures: tuple[str, ...] = ()

    def context(self) -> SSL.Context:
        """A context that offers this, and believes nothing and nobody. Raises Misuse for what OpenSSL does not know.

        The same one for equal offers: nothing of a handshake stays in it.
        """
        return _context(self)


@functools.lru_cache(maxsize=32)
def _context(offer: Offer) -> SSL.Context:
    for version in (offer.minimum, offer.maximum):
        if version not in VERSIONS:
            raise Misuse(f"no TLS version is called {version!r}", hint=f"one of {', '.join(VERSIONS)}")
    context = SSL.Context(SSL.TLS_CLIENT_METHOD)
    context.set_min_proto_version(VERSIONS[offer.minimum])
    context.set_max_proto_version(VERSIONS[offer.maximum])
    context.set_verify(SSL.VERIFY_NONE)
    context.set_session_cache_mode(SSL.SESS_CACHE_OFF)
    # Servers of 2014 know neither secure renegotiation nor today's smallest keys.
    context.set_options(SSL.OP_LEGACY_SERVER_CONNECT)
    try:
        context.set_cipher_list(f"{offer.ciphers}:@SECLEVEL=0".encode())
        context.set_tls13_ciphersuites(offer.suites.encode())
    except SSL.Error:
        raise Misuse(f"OpenSSL knows no suites {offer.ciphers!r}, {offer.suites!r}", hint="`openssl ciphers`") from None
    # pyOpenSSL's own way takes one curve, and never X25519.
    if not lib.SSL_CTX_set1_curves_list(context._context, ":".join(offer.groups).encode()):
        lib.ERR_clear_error()
        raise Misuse(f"OpenSSL knows no groups {':'.join(offer.groups)!r}", hint="such as X25519, P-256")
    if offer.signatures and not lib.SSL_CTX_set1_sigalgs_list(context._context, ":".join(offer.signatures).encode()):
        lib.ERR_clear_error()
        raise Misuse(f"OpenSSL knows no signatures {':'.join(offer.signatures)!r}", hint="such as RSA+SHA256")
    context.set_info_callback(_note_alert)
    context.set_ocsp_client_callback(_note_staple)
    return context


@dataclass(slots=True)
class Noted:
    """What a connection's callbacks saw, at a connection whose app data it is: the server's last alert, its staple."""

    alert: int | None = None
    is_fatal: bool = False
    staple: bytes | None = None


def _note_alert(connection: SSL.Connection, where: int, value: int) -> None:
    noted = connection.get_app_data()
    if where & SSL.SSL_CB_READ_ALERT == SSL.SSL_CB_READ_ALERT and isinstance(noted, Noted):
        noted.alert, noted.is_fatal = value & 0xFF, value >> 8 == FATAL


def _note_staple(connection: SSL.Connection, staple: bytes, _data: None) -> bool:
    noted = connection.get_app_data()
    if isinstance(noted, Noted):
        noted.staple = staple or None
    return True
