"""How many boards of which kinds somebody asks for: `KIND=N`, on a command line."""

from __future__ import annotations

import re
from collections.abc import Iterable

from rig.errors import Misuse
from rig.registry import checked_kind, kinds

#: The most of a kind that one asks for.
MOST_BOARDS = 200


def read_boards(texts: Iterable[str], option: str = "--boards") -> dict[str, int]:
    """How many of each kind, of texts `KIND=N`, in their order. Raises Misuse for the first that is wrong."""
    found: dict[str, int] = {}
    for text in texts:
        name, _, number = text.partition("=")
        count = int(number) if re.fullmatch("[0-9]{1,9}", number, re.ASCII) else 0
        if not name or not 1 <= count <= MOST_BOARDS:
            hint = f"N is from 1 to {MOST_BOARDS}, for example {(kinds() or ('KIND',))[-1]}=2"
            raise Misuse(f"{option} {text!r} is not KIND=N", hint=hint)
        try:
            kind = checked_kind(name)
        except Misuse as error:
            error.message = f"{option} {text}: {error.message}"
            raise
        if kind in found:
            raise Misuse(f"{option}: {kind} is told twice", hint="one number for each kind")
        found[kind] = count
    return found
