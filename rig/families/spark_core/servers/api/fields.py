"""What a request carries in its body: a form, JSON or multipart, as fields of text and files."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from urllib.parse import parse_qsl

from aiohttp import web

from rig.families.spark_core.servers.api.refusal import TIMED_OUT, Refused
from rig.families.spark_core.servers.cloud_limits import API
from rig.formats.json_object import read_object
from rig.formats.multipart import MOST_PARTS, Part, read_boundary, read_multipart

#: An image has 108 KiB at most; one that is forced may have more.
LONGEST_BODY = API.message
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
            body = await request.read()
    except TimeoutError:
        raise Refused(408, TIMED_OUT, f"the request was not whole after {BODY_SECONDS:.0f} s") from None
    except web.HTTPRequestEntityTooLarge:
        raise Refused(413, "Too large", f"a request has {LONGEST_BODY:,} bytes at most") from None
    return read_body(request.headers.get("Content-Type", ""), body)


def read_body(content_type: str, body: bytes) -> Fields:
    """The fields in a body of a type: a form where it has none. Raises Refused."""
    kind = content_type.partition(";")[0].strip().lower()
    try:
        match kind:
            case "application/json":
                return _read_json(body)
            case "multipart/form-data":
                return _read_parts(read_multipart(body, read_boundary(content_type)))
            case "application/x-www-form-urlencoded" | "":
                pairs = parse_qsl(body.decode(), keep_blank_values=True, errors="strict", max_num_fields=MOST_PARTS)
                return Fields(dict(pairs))
    except UnicodeError:
        raise Refused(400, "Bad request", "the body's text is not UTF-8") from None
    except ValueError as error:
        raise Refused(400, "Bad request", f"the body cannot be read as {kind}: {error}") from error
    return Fields()


def _read_json(body: bytes) -> Fields:
    content = read_object(body or b"{}")
    fields = Fields()
    for name, value in content.items():
        if isinstance(value, dict | list):
            raise Refused(400, "Bad request", f"the field {name!r} is no text")
        if value is not None:
            fields.text[name] = _PLAIN[value] if isinstance(value, bool) else str(value)
    return fields


def _read_parts(parts: list[Part]) -> Fields:
    fields = Fields()
    for part in parts:
        if part.filename is not None:
            fields.files[part.name] = (part.filename, part.content)
        else:
            fields.text[part.name] = part.content.decode()
    return fields
