"""What a request carries in its body: a form, JSON or multipart, as fields of text and files."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field

from aiohttp import web

from rig.servers.spark.api.refusal import Refused

#: An image has 108 KiB at most; one that is forced may have more.
LONGEST_BODY = 512 << 10
BODY_SECONDS = 30.0
#: What a JSON field may be besides text, and how a form would say it.
_PLAIN = {True: "true", False: "false"}


@dataclass(slots=True)
class Fields:
    """Fields of text by name, and files by name: what each is called where it comes from, and its content."""

    text: dict[str, str] = field(default_factory=dict)
    files: dict[str, tuple[str, bytes]] = field(default_factory=dict)

    def get(self, name: str) -> str | None:
        """A field of text."""
        return self.text.get(name)


async def read_fields(request: web.Request) -> Fields:
    """The fields of a request. Raises Refused: 400 for what cannot be read, 408 where it does not come, 413, 415."""
    if request.headers.get("Content-Encoding", "identity").lower() != "identity":
        raise Refused(415, "Unsupported encoding", "a body must not be compressed")
    try:
        async with asyncio.timeout(BODY_SECONDS):
            fields = await (_json(request) if request.content_type == "application/json" else _form(request))
    except TimeoutError:
        raise Refused(408, "Timed out.", f"the request was not whole after {BODY_SECONDS:.0f} s") from None
    except (AssertionError, LookupError, RecursionError, RuntimeError, TypeError, ValueError) as error:
        if isinstance(error, Refused):
            raise
        raise Refused(400, "Bad request", f"the body cannot be read: {type(error).__name__}") from error
    for name, text in fields.text.items():
        if "\ufffd" in name or "\ufffd" in text:
            raise Refused(400, "Bad request", "a field is not UTF-8")
    return fields


async def _json(request: web.Request) -> Fields:
    told = json.loads(await request.read() or b"{}")
    if not isinstance(told, dict):
        raise Refused(400, "Bad request", "the body's JSON is no object")
    fields = Fields()
    for name, value in told.items():
        if isinstance(value, dict | list):
            raise Refused(400, "Bad request", f"the field {name!r} is no text")
        if value is not None:
            text = _PLAIN[value] if isinstance(value, bool) else str(value)
            fields.text[name] = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return fields


async def _form(request: web.Request) -> Fields:
    fields = Fields()
    for name, value in (await request.post()).items():
        if isinstance(value, web.FileField):
            fields.files[name] = (value.filename, value.file.read())
        elif isinstance(value, bytes | bytearray):
            fields.files[name] = (name, bytes(value))
        else:
            fields.text[name] = value
    return fields
