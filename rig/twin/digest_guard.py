"""Who knows a relay's password: HTTP digest authentication with SHA-256, as Shellys of the second generation ask.

RFC 7616 with `qop=auth` and the one user `admin`. A client may use a nonce again for an hour when it counts on; what
was sent once is refused when somebody sends it again.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import urllib.request
from collections import OrderedDict
from collections.abc import Awaitable, Callable

from aiohttp import web

from rig.clock import Clock

USER = "admin"
NONCE_SECONDS = 3600.0
#: More are not remembered: who had an older one is asked again.
MOST_NONCES = 256

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def sha256_of(*parts: str) -> str:
    """The digest of parts with colons in between, in hex."""
    return hashlib.sha256(_bytes(":".join(parts))).hexdigest()


def digest_response(ha1: str, method: str, uri: str, nonce: str, nc: str, cnonce: str) -> str:
    """What a client sends that knows `ha1`, the digest of user, realm and password."""
    return sha256_of(ha1, nonce, nc, cnonce, "auth", sha256_of(method, uri))


class DigestGuard:
    """Lets through who knows `password`; others are asked for it."""

    def __init__(self, password: str, realm: str, clock: Clock | None = None):
        self._ha1 = sha256_of(USER, realm, password)
        self._realm = realm
        self._clock = clock or Clock()
        #: When a nonce was given out, and how often it was used.
        self._nonces: OrderedDict[str, tuple[float, int]] = OrderedDict()

    @web.middleware
    async def middleware(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Answer with a challenge, or hand on."""
        asked = self.challenge(request.method, request.raw_path, request.headers.get("Authorization", ""))
        if asked is None:
            return await handler(request)
        return web.Response(status=401, headers={"WWW-Authenticate": asked})

    def challenge(self, method: str, uri: str, authorization: str) -> str | None:
        """What a request is to be asked; None where it shows that it comes from somebody who knows the password."""
        said = _fields(authorization)
        known = self._knows_password(said, method, uri)
        if known and self._is_fresh(said.get("nonce", ""), int(said["nc"], 16)):
            return None
        nonce = secrets.token_hex(16)
        self._nonces[nonce] = (self._clock.now(), 0)
        while len(self._nonces) > MOST_NONCES:
            self._nonces.popitem(last=False)
        stale = ", stale=true" if known else ""
        return f'Digest qop="auth", realm="{self._realm}", nonce="{nonce}", algorithm=SHA-256{stale}'

    def _knows_password(self, said: dict[str, str], method: str, uri: str) -> bool:
        wanted = {"username": USER, "realm": self._realm, "uri": uri, "qop": "auth", "algorithm": "SHA-256"}
        nc = said.get("nc", "")
        if any(said.get(name) != value for name, value in wanted.items()) or len(nc) != 8 or not _is_hex(nc):
            return False
        right = digest_response(self._ha1, method, uri, said.get("nonce", ""), nc, said.get("cnonce", ""))
        return hmac.compare_digest(_bytes(said.get("response", "")), right.encode())

    def _is_fresh(self, nonce: str, count: int) -> bool:
        """Whether a nonce is one of ours and its count goes on; remembers the count."""
        given, used = self._nonces.get(nonce, (-NONCE_SECONDS, 0))
        if self._clock.now() - given >= NONCE_SECONDS or count <= used:
            return False
        self._nonces[nonce] = (given, count)
        return True


def _fields(authorization: str) -> dict[str, str]:
    """The fields of a header `Digest …`; none where it is something else, or damaged."""
    scheme, _, rest = authorization.partition(" ")
    if scheme.lower() != "digest":
        return {}
    try:
        return urllib.request.parse_keqv_list(urllib.request.parse_http_list(rest))
    except (ValueError, IndexError):
        return {}


def _is_hex(text: str) -> bool:
    return set(text.lower()) <= set("0123456789abcdef")


def _bytes(text: str) -> bytes:
    """As it came: headers hold bytes that are no text, too."""
    return text.encode(errors="surrogateescape")
