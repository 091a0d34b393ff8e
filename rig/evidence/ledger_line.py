"""A line of a ledger: the one form it has as bytes, and its hash, which chains it to the line before.

The form is JSON with every key once and in order, no spaces, ASCII, and numbers as Python writes them: whoever reads a
line reads what was written, and no two texts stand for one content. A line's hash is over the hash of the line before
and this line's bytes without their member `hash`.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

GENESIS = "0" * 64
_HASH = re.compile("[0-9a-f]{64}")
#: Patterns that are made of lines, and how long a line may be for that: whatever is more is read as JSON.
MOST_PATTERNS, LONGEST_FOR_PATTERN = 256, 16 << 10

# What the form's values look like. No alternative begins as another does, so that nothing is tried twice.
_PLAIN = rb"[ !#-\[\]-\x7f]*+"
_ESCAPED = rb'\\(?:["\\bfnrt]|u(?:00(?:0[0-7be-f]|1[0-9a-f]|[89a-f][0-9a-f])|0[1-9a-f][0-9a-f]{2}|[1-9a-f][0-9a-f]{3}))'
_STRING = rb'"' + _PLAIN + rb"(?:" + _ESCAPED + _PLAIN + rb')*+"'
_INTEGER = rb"(?:0|-?[1-9][0-9]{0,99}+)"
_WORD = rb"(?:true|false|null)"
#: Of so few digits a text is as Python writes it; of others, in a group, Python is asked.
_FRACTION = rb"(?:-?(?:0|[1-9][0-9]{0,7}+)\.(?:0|[0-9]{0,3}[1-9])(?=[,}\]])|(-?[0-9]++(?:\.[0-9]++)?(?:e[+-][0-9]++)?))"


class NotALine(ValueError):
    """What is no line in the form; the text says why."""


def encode(content: Mapping[str, Any]) -> bytes:
    """A content in the form. Raises ValueError for a number that JSON has not."""
    return json.dumps(content, sort_keys=True, separators=(",", ":"), allow_nan=False).encode()


def chained(previous: str, body: bytes) -> str:
    """The hash of the line that has this body behind the line of hash `previous`."""
    return hashlib.sha256(previous.encode() + b"\n" + body).hexdigest()


@dataclass(frozen=True, slots=True)
class _Pattern:
    """Lines of one run that differ in plain values only; `fractions` are its groups of those that Python is asked."""

    lines: re.Pattern[bytes]
    fractions: tuple[int, ...]

    @classmethod
    def of(cls, content: Mapping[str, Any]) -> _Pattern:
        """That of the lines like this one."""
        members = b"".join(_of_line(key, content[key]) for key in sorted(content))
        lines = re.compile(rb"\{" + members.removesuffix(b",") + rb"\}")
        named = lines.groupindex.values()
        return cls(lines, tuple(number for number in range(1, lines.groups + 1) if number not in named))

    def match(self, raw: bytes) -> re.Match[bytes] | None:
        """The parts of a line, if it is one of these."""
        found = self.lines.fullmatch(raw)
        if found is None:
            return None
        for number in self.fractions:
            text = found[number]
            if text is not None and repr(float(text)).encode() != text:
                return None
        return found


class LineReader:
    """Takes lines apart, and knows the form when it sees it.

    Most lines differ from an earlier one in plain values only. A pattern made of that one tells so, and where the hash
    stands, several times faster than reading JSON and writing it again.
    """

    def __init__(self) -> None:
        self._patterns: list[_Pattern] = []
        #: The runs that lines said they are of.
        self.runs: set[str] = set()

    def split(self, raw: bytes) -> tuple[bytes, str]:
        """A line's body, and the hash that it says it has. Raises NotALine."""
        for pattern in self._patterns:
            found = pattern.match(raw)
            if found is not None:
                begin, end = found.span("member")
                return raw[:begin] + raw[end:], found["hash"].decode()
        content = _parse(raw)
        if len(self._patterns) < MOST_PATTERNS and len(raw) <= LONGEST_FOR_PATTERN:
            self._patterns.append(_Pattern.of(content))
        if isinstance(content.get("run"), str):
            self.runs.add(content["run"])
        stated: str = content.pop("hash")
        return encode(content), stated


def _parse(raw: bytes) -> dict[str, Any]:
    try:
        content = json.loads(raw)
        is_the_form = isinstance(content, dict) and encode(content) == raw
    except (ValueError, RecursionError):
        raise NotALine("it is no JSON") from None
    if not is_the_form:
        raise NotALine("it was written anew: a ledger's keys are sorted and there once, without spaces, in ASCII")
    if not isinstance(content.get("kind"), str) or not _HASH.fullmatch(str(content.get("hash"))):
        raise NotALine("it has no kind, or no hash")
    return dict(content)


#: With the comma behind it: `kind` follows at the latest.
_HASH_MEMBER = rb'(?P<member>"hash":"(?P<hash>[0-9a-f]{64})",)'


def _of_line(key: str, value: Any) -> bytes:
    """A member of a line, with a comma. Lines of another run have another pattern."""
    if key == "hash":
        return _HASH_MEMBER
    return (re.escape(encode({key: value})[1:-1]) if key == "run" else _member(key, value)) + b","


def _member(key: str, value: Any) -> bytes:
    return re.escape(json.dumps(key).encode()) + b":" + _pattern(value)


def _pattern(value: Any) -> bytes:
    if isinstance(value, dict):
        return rb"\{" + b",".join(_member(key, value[key]) for key in sorted(value)) + rb"\}"
    if isinstance(value, list):
        return rb"\[" + b",".join(map(_pattern, value)) + rb"\]"
    if isinstance(value, str):
        return _STRING
    if isinstance(value, bool) or value is None:
        return _WORD
    return _FRACTION if isinstance(value, float) else _INTEGER
