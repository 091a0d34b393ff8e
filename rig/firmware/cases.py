"""Which words expectations may use: a case that nobody knows is one of somebody's own tests, or written wrongly."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches

from rig.errors import Misuse
from rig.firmware.expectations import DEFAULT_VARIANT, Expectations, Expected

#: How many words a message lists; of more it shows the first.
MOST_SHOWN = 12


@dataclass(frozen=True, slots=True)
class KnownCases:
    """What may be expected of a kind of board: by path, the phases that a cut may land in and what suites name.

    A case has one of these `generations`, or one that the pattern `more` fits; without any, whatever a place says.
    """

    by_path: Mapping[str, tuple[str, ...]]
    generations: tuple[str, ...] = ()
    more: str = ""

    def has(self, path: str, case: str) -> bool:
        """Whether there is this case of a path."""
        return case in self.by_path.get(path, ())

    def is_generation(self, name: str) -> bool:
        """Whether a board may be of this generation."""
        return not self.generations or name in self.generations or re.fullmatch(self.more, name) is not None


#: By kind of board.
Known = Mapping[str, KnownCases]
#: The variants that there are beside the roles, by kind of board.
VariantsOf = Callable[[str], Collection[str]]


def refuse_unknown(expectations: Expectations, known: Known, variants_of: VariantsOf) -> None:
    """Refuse entries that name what there is not, which nothing would ever fit. Raises Misuse for the first."""
    for number, entry in enumerate(expectations.entries):
        for field, word, words, whose in _words(entry, known[entry.board], variants_of):
            if word not in words:
                own = " (a case of your own tests: `own = true`)" if field in ("path", "case") else ""
                where = f"{expectations.path}: expect.{number}.{field}"
                raise Misuse(f"{where}: there is no {field} {word!r} of {whose}", hint=known_beside(word, words) + own)


def _words(
    entry: Expected, known: KnownCases, variants_of: VariantsOf
) -> Iterator[tuple[str, str, Collection[str], str]]:
    """What an entry names: field, word, the words that there are, and of what."""
    board = entry.board
    if not entry.own:
        yield "path", entry.path, known.by_path, board
        yield from (("case", case, known.by_path[entry.path], entry.path) for case in entry.case)
    for name in entry.generation:
        if not known.is_generation(name):
            yield "generation", name, known.generations, board
    for name in entry.variant:
        yield "variant", name, (DEFAULT_VARIANT, *variants_of(board)), board


def known_beside(word: str, known: Collection[str]) -> str:
    """Which words there are, for somebody who wrote another: the nearest where some are near, else all or the first."""
    if near := get_close_matches(word, known):
        return f"did you mean {' or '.join(map(repr, near))}?"
    more = f" and {len(known) - MOST_SHOWN} more" if len(known) > MOST_SHOWN else ""
    return f"there are {', '.join(map(repr, list(known)[:MOST_SHOWN]))}{more}"
