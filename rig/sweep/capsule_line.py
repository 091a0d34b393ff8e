"""How a capsule is written: words on one line, NAME=VALUE behind the first two, and at its end a sum over the line."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING

from rig.errors import Misuse
from rig.sweep.family import checked_values

if TYPE_CHECKING:
    from rig.firmware.manifest import Image

#: Hex digits of an image's SHA-256 and of the sum over the line.
IMAGE_DIGITS, _SUM_DIGITS = 16, 8
_WORD = re.compile(r"([a-z0-9_-]+)=(\S+)", re.ASCII)


def sealed(text: str) -> str:
    """A line with its sum."""
    return f"{text} sum={_sum(text)}"


def read_line(line: str) -> tuple[str, str, dict[str, str]]:
    """The first two words of a line, and its fields. Raises Misuse for what is none, or was changed."""
    words = line.split()
    if len(words) < 3:
        raise Misuse("this is no capsule", hint="a sweep prints them: KIND PATH NAME=VALUE …")
    kind, path, *rest = words
    fields: dict[str, str] = {}
    for word in rest:
        match = _WORD.fullmatch(word)
        if match is None:
            raise Misuse(f"{word!r} in the capsule is not NAME=VALUE")
        if match[1] in fields:
            raise Misuse(f"the capsule says {match[1]}= twice")
        fields[match[1]] = match[2]
    if (told := fields.pop("sum", None)) is not None and told != _sum(" ".join(words[:-1])):
        raise Misuse("the capsule was changed since it was written", hint="leave sum= away if that was meant")
    return kind, path, fields


def named(*fields: Mapping[str, str]) -> list[str]:
    """Fields as words."""
    return [f"{name}={value}" for some in fields for name, value in some.items()]


def hashes_of(images: Mapping[str, Image]) -> dict[str, str]:
    """Images by role as a capsule names them."""
    return {role: image.sha256[:IMAGE_DIGITS] for role, image in sorted(images.items())}


def choices_and_images(
    fields: Mapping[str, str], known: Mapping[str, tuple[str, ...]], of: str, fixed: Collection[str]
) -> tuple[dict[str, str], dict[str, str]]:
    """A value for each known choice, and what names images: every other field that is not `fixed`. Raises Misuse."""
    choices = {name: value for name, value in fields.items() if name in known}
    images = {name: value for name, value in fields.items() if name not in known and name not in fixed}
    return checked_values(known, of, choices), {role: _checked_digits(role, text) for role, text in images.items()}


def _checked_digits(role: str, text: str) -> str:
    """The begin of an image's SHA-256, perhaps with a length. Raises Misuse."""
    if not re.fullmatch(r"[0-9a-f]{12,64}(@[1-9][0-9]{0,8})?", text, re.ASCII):
        raise Misuse(
            f"{role}={text} in the capsule is not the begin of a SHA-256", hint="12 to 64 hex digits, perhaps @BYTES"
        )
    return text


def begins(images: Mapping[str, str]) -> list[str]:
    """What hashes of a capsule's images begin with."""
    return [told.partition("@")[0] for told in images.values()]


def _sum(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:_SUM_DIGITS]
