"""What the file of an image tells of itself, so that no manifest need repeat it: what it is, and for which chip."""

from __future__ import annotations

from dataclasses import dataclass

from rig.firmware.file_kinds import kind_of
from rig.firmware.image_rules import all_rules

#: What a file is: one of these, or what else its family calls it.
APPLICATION, OTHER = "application", "something else"


@dataclass(frozen=True, slots=True)
class Identification:
    """What a file tells: None for what it does not. `chip` is as people write it."""

    what: str
    size: int
    #: In words, for something else.
    words: str = ""
    #: The kind of board it is for; None where none here has its chip.
    board: str | None = None
    chip: str | None = None
    version: str | None = None
    #: The release of what it is built on, without a `v`.
    built_on: str | None = None
    #: More of it, each in words.
    facts: tuple[str, ...] = ()

    @property
    def with_article(self) -> str:
        """The same as text, to stand in a sentence: `an application for a chip`."""
        return self.words if self.what == OTHER else f"{one(self.what)}{str(self).removeprefix(self.what)}"

    def __str__(self) -> str:
        return self.words if self.what == OTHER else ", ".join([f"{self.what} for {self.chip}", *self.facts])


def one(what: str) -> str:
    """The noun with its article."""
    return f"{'an' if what[0] in 'aeiou' else 'a'} {what}"


def identify(data: bytes) -> Identification:
    """What `data` tells of itself."""
    for rules in all_rules():
        if (identified := rules.identify(data)) is not None:
            return identified
    kind = kind_of(data)
    return Identification(OTHER, len(data), kind.what if kind is not None else "nothing that is known")
