"""One client's HTTP connection, aiohttp's: what aiohttp itself refuses is told as all else is, in JSON."""

from __future__ import annotations

import asyncio
from typing import Any

from aiohttp import web

from rig.families.spark_core.servers.api.refusal import Refused, answer_to

#: So much is told of why a request could not be read: what it quotes may be as long as the client likes.
LONGEST_REASON = 200


class ApiConnection(web.RequestHandler):
    """Answers requests that never come to a handler, too: no HTTP, an Expect that nobody knows, no such path."""

    __slots__ = ("answered",)

    def __init__(self, *args: Any, **how: Any):
        super().__init__(*args, **how)
        #: When its last answer was through, by the loop's clock.
        self.answered = 0.0

    async def finish_response(
        self, request: web.BaseRequest, resp: web.StreamResponse, start_time: float | None
    ) -> tuple[web.StreamResponse, bool]:
        """Send an answer."""
        if isinstance(resp, web.Response) and resp.status >= 400 and resp.content_type != "application/json":
            resp = _in_json(resp)
        done = await super().finish_response(request, resp, start_time)
        self.answered = asyncio.get_running_loop().time()
        return done


def _in_json(refusal: web.Response) -> web.Response:
    error = refusal.reason or str(refusal.status)
    answer = answer_to(Refused(refusal.status, error, " ".join((refusal.text or "").split())[:LONGEST_REASON]))
    if "Allow" in refusal.headers:
        answer.headers["Allow"] = refusal.headers["Allow"]
    if refusal.keep_alive is False:
        answer.force_close()
    return answer
