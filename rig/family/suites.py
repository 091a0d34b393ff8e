"""What the suites of one kind of board use of its family."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rig.firmware.cases import KnownCases


@dataclass(frozen=True, slots=True)
class Suites:
    """`load_cases` tells what something may be expected of; `fixtures` is the module of pytest fixtures of this kind.

    It is None where there is none. Fixtures are asked for wherever pytest starts: cases are loaded by who needs them.
    """

    load_cases: Callable[[], KnownCases]
    fixtures: str | None = None

    @property
    def cases(self) -> KnownCases:
        """What something may be expected of."""
        return self.load_cases()
