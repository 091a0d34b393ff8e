"""Bodies of several parts, as forms with files are sent (multipart/form-data: RFC 7578, RFC 2046 §5.1.1)."""

from __future__ import annotations

import re
from dataclasses import dataclass

#: No form that is meant has more.
MOST_PARTS, LONGEST_HEAD = 64, 4096
LONGEST_BOUNDARY = 70
_PARAMETER = re.compile(r';\s*(name|filename)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s;"]+))', re.IGNORECASE)
_BOUNDARY = re.compile(r';\s*boundary\s*=\s*(?:"([^"]*)"|([^\s;"]+))', re.IGNORECASE)
_AS_IT_IS = ("7bit", "8bit", "binary")


class MalformedForm(ValueError):
    """A body that is no form."""


@dataclass(frozen=True, slots=True)
class Part:
    """A field of a form; `filename` is None for one of text."""

    name: str
    filename: str | None
    content: bytes


def read_boundary(content_type: str) -> bytes:
    """The line between the parts, of a Content-Type. Raises MalformedForm."""
    found = _BOUNDARY.search(content_type)
    boundary = (found[1] or found[2] or "") if found is not None else ""
    if not 0 < len(boundary) <= LONGEST_BOUNDARY or not boundary.isascii():
        raise MalformedForm("its type names no boundary")
    return boundary.encode()


def read_multipart(body: bytes, boundary: bytes) -> list[Part]:
    """The parts of a body. Raises MalformedForm."""
    _, *chunks = (b"\r\n" + body).split(b"\r\n--" + boundary, MOST_PARTS + 2)
    parts: list[Part] = []
    for chunk in chunks:
        if chunk.startswith(b"--"):
            return parts
        if len(parts) == MOST_PARTS:
            raise MalformedForm(f"it has more than {MOST_PARTS} parts")
        parts.append(_read_part(chunk))
    raise MalformedForm("it has no end: cut short, or another boundary")


def _read_part(chunk: bytes) -> Part:
    """One part, from the end of its boundary on."""
    head, blank, content = chunk.partition(b"\r\n\r\n")
    if not blank or not head.lstrip(b" \t").startswith(b"\r\n") or len(head) > LONGEST_HEAD:
        raise MalformedForm("a part has no head, or one too long")
    try:
        lines = head.decode().strip().split("\r\n")
    except UnicodeDecodeError:
        raise MalformedForm("a part's head is not UTF-8") from None
    headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    if headers.get("content-transfer-encoding", "binary").lower() not in _AS_IT_IS:
        raise MalformedForm("a part is encoded: send it as it is")
    disposition = headers.get("content-disposition", "")
    named = {found[1].lower(): _unquoted(found) for found in _PARAMETER.finditer(disposition)}
    if not disposition.lower().startswith("form-data") or not named.get("name"):
        raise MalformedForm("a part has no name")
    return Part(named["name"], named.get("filename"), content)


def _unquoted(found: re.Match[str]) -> str:
    return re.sub(r"\\(.)", r"\1", found[2]) if found[2] is not None else found[3]
