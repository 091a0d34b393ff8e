"""Who may ask: no web page, whatever it calls this machine, and nobody without the token."""

from __future__ import annotations

import base64
import re

from aiohttp import web

from rig.control.web_pages import WebPages
from rig.families.spark_core.servers.api.fields import Fields
from rig.families.spark_core.servers.api.refusal import Refused
from rig.families.spark_core.servers.api.token import AccessToken

#: Where a client logs in, and where tokens are listed and revoked.
TOKEN_PATH, TOKENS_PATH = "/oauth/token", "/v1/access_tokens"
_BEARER = re.compile(r"Bearer\s+(\S+)\s*", re.IGNORECASE)
_BASIC = re.compile(r"Basic\s+(\S+)\s*", re.IGNORECASE)


class Guard:
    """Checks requests with `token`, and `pages` which of them a web page may have sent."""

    def __init__(self, token: AccessToken, pages: WebPages | None = None):
        self.token = token
        self.pages = pages or WebPages()

    def refuse_pages(self, request: web.Request) -> None:
        """Raises Refused for what a web page may have sent: one of another origin, or one that renamed this machine."""
        if reason := self.pages.refusal(request.headers):
            raise Refused(403, "Forbidden", reason)

    def check(self, request: web.Request, fields: Fields) -> None:
        """Raises Refused for who may not ask this. Who asks for the token shows by a password that it is known."""
        if request.path == TOKEN_PATH:
            return
        if request.path.startswith(TOKENS_PATH) and _BASIC.fullmatch(request.headers.get("Authorization", "")):
            self._check_password(request)
        else:
            self._check_token(request, fields)

    def _check_token(self, request: web.Request, fields: Fields) -> None:
        """Raises Refused unless the token is in the Authorization header, the query, or the body, in that order."""
        header = request.headers.get("Authorization")
        bearer = _BEARER.fullmatch(header) if header is not None else None
        said = bearer[1] if bearer is not None else request.query.get("access_token") or fields.get("access_token")
        if said is None:
            raise Refused(400, "invalid_request", "The access token was not found", code=400)
        if not self.token.matches(said):
            raise Refused(401, "invalid_token", "The access token provided is invalid.", code=401)

    def _check_password(self, request: web.Request) -> None:
        """Raises Refused unless HTTP Basic's password is the token, whoever is named."""
        basic = _BASIC.fullmatch(request.headers.get("Authorization", ""))
        try:
            _, _, password = base64.b64decode(basic[1], validate=True).decode().partition(":") if basic else ("",) * 3
        except ValueError:
            password = ""
        if not self.token.matches(password):
            raise Refused(401, "Unauthorized", "HTTP Basic is expected: the password is the access token")
