"""What tags of a place may say: how one looks, and what is told of one that is malformed."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from rig.boards.timing import number_of
from rig.errors import Misdescribed

#: A button or line, and a plain question.
WIRED, YES_OR_NO = ("wired", "none"), ("yes", "no")


@dataclass(frozen=True, slots=True)
class Tag:
    """One tag: how it looks, an example, who tells what it is to be, and whether every place has it.

    One that is not always needed is where the board says that it is in a network: `wifi=joined`.
    """

    name: str
    is_well_formed: Callable[[str], object]
    example: str
    source: str
    always: bool = False
    joined: bool = False

    @property
    def hint(self) -> str:
        """What it is to be, behind `set-tags NAME=`."""
        return f"{self.example}` with its own, as {self.source} tells it"


@dataclass(frozen=True, slots=True)
class Choice:
    """One tag that has one of a few values, or is left out; `also` are more of them, by how they look, and in words.

    Boards with a value among `rare` are few in a rack: they are for those who ask for one.
    """

    name: str
    values: tuple[str, ...]
    also: str = ""
    also_said: str = ""
    rare: tuple[str, ...] = ()
    always: bool = False
    joined: bool = False

    def is_well_formed(self, text: str) -> bool:
        """Whether it is one of them."""
        return text in self.values or bool(self.also and re.fullmatch(self.also, text))

    @property
    def hint(self) -> str:
        """What it is to be, behind `set-tags NAME=`."""
        said = ", ".join([*self.values, *([self.also_said] if self.also_said else [])])
        return f"{self.values[0]}`, or what the board is of: {said}"


@dataclass(frozen=True, slots=True)
class Number:
    """One tag that is a number of at least 0."""

    name: str
    example: str
    always: bool = False
    joined: bool = False

    def is_well_formed(self, text: str) -> bool:
        """Whether it is one."""
        try:
            number_of({self.name: text}, self.name, "0")
        except Misdescribed:
            return False
        return True

    @property
    def hint(self) -> str:
        """What it is to be, behind `set-tags NAME=`."""
        return f"{self.example}`, a number of at least 0"


#: Any of these.
TagRule = Tag | Choice | Number
