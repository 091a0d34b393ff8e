"""How tests are called: an id without spaces, which `-k` takes, and the title that people read.

Cases are named by sentences: `while erasing, all pages first` has the id `while-erasing-all-pages-first`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

#: Whether the cases that are made now are those of a board test.
_NAMING = pytest.StashKey[bool]()


def slug(sentence: str) -> str:
    """A sentence as an id: what is no letter, digit, dot or underscore becomes a dash."""
    return re.sub(r"[^\w.]+", "-", sentence.replace("'", "")).strip("-") or "-"


@contextmanager
def named_by_slugs(config: pytest.Config) -> Iterator[None]:
    """Cases that are made while inside are called by slugs: others' tests keep the ids that they have."""
    config.stash[_NAMING] = True
    try:
        yield
    finally:
        del config.stash[_NAMING]


def id_of_case(config: pytest.Config, value: object) -> str | None:
    """The id of a parameter that is a sentence; None where pytest is to make one as ever."""
    if not isinstance(value, str) or not config.stash.get(_NAMING, False):
        return None
    return slug(value) if slug(value) != value else None


def title_of(item: pytest.Item) -> str:
    """The title of a test: `power cuts: a cut in it [while erasing]`."""
    return display_name(item.nodeid, _sentences(item))


def display_name(nodeid: str, sentences: tuple[str, ...] = ()) -> str:
    """A test's name as people say it, rather than a path; `sentences` stand for their slugs in its case."""
    path, _, test = nodeid.partition("::")
    name, bracket, case = test.partition("[")
    for sentence in sorted(sentences, key=len, reverse=True):
        case = case.replace(slug(sentence), sentence, 1)
    words = name.removeprefix("test_").replace("_", " ")
    suite = Path(path).stem.removeprefix("test_").replace("_", " ")
    return f"{suite}: {words}" + (f" [{case}" if bracket else "")


def _sentences(item: pytest.Item) -> tuple[str, ...]:
    parameters = getattr(getattr(item, "callspec", None), "params", {})
    return tuple(value for value in parameters.values() if isinstance(value, str) and slug(value) != value)
