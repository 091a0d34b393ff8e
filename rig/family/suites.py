"""What the suites of one kind of board use of its family."""

from __future__ import annotations

from dataclasses import dataclass

from rig.firmware.cases import KnownCases


@dataclass(frozen=True, slots=True)
class Suites:
    """`cases` are what something may be expected of, `fixtures` the module of pytest fixtures that no other kind has.

    It is None where there is none.
    """

    cases: KnownCases
    fixtures: str | None = None
