"""What a handshake is made with: an identity loaded into OpenSSL, and the settings of one host."""

from __future__ import annotations

import contextlib
import os
import ssl
import tempfile
import warnings
from collections.abc import Iterator
from dataclasses import dataclass

from rig.errors import Misuse
from rig.formats.tls_records import ClientHello
from rig.trust.identity import Identity

VERSIONS = {
    "TLSv1": ssl.TLSVersion.TLSv1,
    "TLSv1.1": ssl.TLSVersion.TLSv1_1,
    "TLSv1.2": ssl.TLSVersion.TLSv1_2,
    "TLSv1.3": ssl.TLSVersion.TLSv1_3,
}
#: What a context keeps of handshakes, though nobody goes on with it: 1 KB each.
MOST_SESSIONS = 500


@dataclass(frozen=True, slots=True)
class TlsSettings:
    """How handshakes go: versions from `minimum` to `maximum`, suites of TLS 1.2 as OpenSSL lists them (None: its own).

    `delay` is how many seconds we are silent after a ClientHello: longer than a client's patience is a server that
    hangs.
    """

    minimum: str = "TLSv1.2"
    maximum: str = "TLSv1.3"
    ciphers: str | None = None
    delay: float = 0.0

    def check(self) -> None:
        """Raises Misuse for what OpenSSL would not take."""
        for version in (self.minimum, self.maximum):
            if version not in VERSIONS:
                raise Misuse(f"no TLS version is called {version!r}", hint=f"one of {', '.join(VERSIONS)}")
        if VERSIONS[self.minimum] > VERSIONS[self.maximum]:
            raise Misuse(f"TLS versions from {self.minimum} to {self.maximum} are none")
        if not 0 <= self.delay <= 3600:
            raise Misuse(f"a handshake cannot be delayed by {self.delay} s")
        self.choose_suites(ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER))

    def choose_suites(self, context: ssl.SSLContext) -> None:
        """Let a context have these suites only. Raises Misuse."""
        try:
            # OpenSSL would not show short keys nor old hashes otherwise; here it is the client who judges.
            context.set_ciphers(f"{self.ciphers or 'DEFAULT'}:@SECLEVEL=0")
        except (ssl.SSLError, ValueError):
            raise Misuse(f"OpenSSL knows no suites {self.ciphers!r}", hint="see `openssl ciphers`") from None

    def context(self) -> ssl.SSLContext:
        """A new context to begin handshakes with, before they show an identity; OpenSSL keeps sessions in it."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        with warnings.catch_warnings() if self._is_old else contextlib.nullcontext():
            if self._is_old:
                warnings.simplefilter("ignore", DeprecationWarning)  # that TLS 1.0 is old is why it is asked for
            context.minimum_version, context.maximum_version = VERSIONS[self.minimum], VERSIONS[self.maximum]
        context.options |= ssl.OP_NO_TICKET | ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_COMPRESSION
        context.num_tickets = 0
        return context

    @property
    def _is_old(self) -> bool:
        return self.minimum in ("TLSv1", "TLSv1.1")


class HandshakeContexts:
    """Contexts to begin handshakes with, such that none goes on with a session: a client that comes again must see our
    certificate again.

    A context takes OpenSSL longer to make than most of a handshake does. Clients without a session share one; whoever
    offers a session gets one that has never seen any.
    """

    def __init__(self, settings: TlsSettings):
        self._settings = settings
        self._shared: ssl.SSLContext | None = None
        self._begun = 0

    def context(self, hello: ClientHello | None) -> ssl.SSLContext:
        """For one handshake with a client that says this, or what nobody can read."""
        if hello is None or hello.offers_session:
            return self._settings.context()
        if self._shared is None or self._begun >= MOST_SESSIONS:
            self._shared, self._begun = self._settings.context(), 0
        self._begun += 1
        return self._shared


def load_identity(identity: Identity, settings: TlsSettings) -> ssl.SSLContext:
    """A context that shows an identity, with the suites of the settings. Raises Misuse for what OpenSSL refuses.

    Suites belong here: a handshake takes them from the context whose certificate it shows.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    settings.choose_suites(context)
    with _readable(identity.key_pem + identity.chain_pem) as path:
        try:
            context.load_cert_chain(path)
        except ssl.SSLError as error:
            raise Misuse(f"OpenSSL does not take this identity: {error.reason or error}") from error
    return context


@contextlib.contextmanager
def _readable(content: bytes) -> Iterator[str]:
    """A path with this content: OpenSSL takes keys from files only, and a key is not to lie on a disk."""
    if hasattr(os, "memfd_create"):
        handle = os.memfd_create("identity")
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            yield f"/proc/self/fd/{handle}"
    else:
        with tempfile.NamedTemporaryFile() as named:
            named.write(content)
            named.flush()
            yield named.name
