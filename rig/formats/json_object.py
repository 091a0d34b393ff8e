"""One JSON object from bytes of a stranger's: within limits that are looked at before it is built, or refused.

What is refused takes no memory and no recursion: nests, numbers without end or beyond what a double holds, NaN, text
that is no Unicode.
"""

from __future__ import annotations

import json
import math
import re
from typing import Any, TypeGuard

#: How deep a request may be nested: a recipe of certificates, the deepest, has 6.
MOST_DEPTH = 32
#: Bytes of an object without its texts: names and values of the largest request, with room to spare.
MOST_STRUCTURE = 64 * 1024
#: Characters of a number: more than a double or 64 bits have.
LONGEST_NUMBER = 32

#: One without an end goes to the end: each character is looked at once.
_TEXT = re.compile(r'"(?:[^"\\]++|\\.)*+"?', re.S)
_BRACKET = re.compile(r"[\[\]{}]")
_LONG_NUMBER = re.compile(rf"[0-9.eE+-]{{{LONGEST_NUMBER + 1}}}")
_HALF_OF_A_PAIR = re.compile(r"\\u[dD][89a-fA-F]")


class NotAnObject(ValueError):
    """What came is no JSON object, or is beyond what is read."""


def read_object(data: bytes | str) -> dict[str, Any]:
    """The object in `data`. Raises NotAnObject."""
    try:
        text = data if isinstance(data, str) else data.decode()
    except UnicodeDecodeError:
        raise NotAnObject("it is not UTF-8") from None
    _check_structure(_TEXT.sub('""', text))
    try:
        value = json.loads(text, parse_float=_finite, parse_constant=_no_number)
        if _HALF_OF_A_PAIR.search(text):
            json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        raise NotAnObject("half of a pair is no character") from None
    except NotAnObject:
        raise
    except (RecursionError, ValueError) as error:
        raise NotAnObject(f"it is no JSON: {error}") from None
    if not isinstance(value, dict):
        raise NotAnObject("it is no object of JSON")
    return value


def is_whole(value: object) -> TypeGuard[int]:
    """Whether a value is a whole number: true, false and 1.0 are none."""
    return type(value) is int


def _check_structure(skeleton: str) -> None:
    """Raises NotAnObject for an object that, without its texts, is too large, too deep, or has endless numbers."""
    if len(skeleton) > MOST_STRUCTURE:
        raise NotAnObject(f"without its texts it has more than {MOST_STRUCTURE:,} bytes")
    depth = 0
    for bracket in _BRACKET.finditer(skeleton):
        depth += 1 if bracket[0] in "[{" else -1
        if depth > MOST_DEPTH:
            raise NotAnObject(f"it is nested deeper than {MOST_DEPTH}")
    if _LONG_NUMBER.search(skeleton):
        raise NotAnObject(f"a number in it has more than {LONGEST_NUMBER} characters")


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise NotAnObject(f"{text} is more than a number holds")
    return value


def _no_number(text: str) -> float:
    raise NotAnObject(f"{text} is no number")
