"""What is answered where something is not done: a status, and JSON with the fields that clients read."""

from __future__ import annotations

from typing import Any

from aiohttp import web

from rig.errors import Misuse, RigError

#: What the genuine cloud says of a Core that is offline or does not answer; clients look for it.
TIMED_OUT = "Timed out."


class Refused(Misuse):
    """A request that is answered with `status`; `error` is a word or two for programs, the description for people."""

    def __init__(self, status: int, error: str, description: str = "", **more: Any):
        super().__init__(description or error)
        self.status, self.error, self.description, self.more = status, error, description, more

    def to_dict(self) -> dict[str, Any]:
        """The answer's JSON."""
        said = self.description or self.error
        return {"ok": False, "error": self.error, "error_description": said, "errors": [said], **self.more}


def answer_to(refused: Refused) -> web.Response:
    """The answer to a request that is refused."""
    headers = {"Cache-Control": "no-store"}
    if refused.status == 401:
        headers["WWW-Authenticate"] = 'Bearer realm="rig"'
    return web.json_response(refused.to_dict(), status=refused.status, headers=headers)


def refused_for(error: RigError) -> Refused:
    """What an error of the rig's is over HTTP: the caller's is 400, a Core that is away or silent has timed out."""
    if isinstance(error, Refused):
        return error
    if isinstance(error, Misuse):
        return Refused(400, error.message, str(error))
    return Refused(408, TIMED_OUT, str(error))


def no_such_device(name: str) -> Refused:
    """A device that is not this cloud's."""
    return Refused(404, "Device not found", f"this cloud has no device {name!r}: its key is not in the folder of keys")
