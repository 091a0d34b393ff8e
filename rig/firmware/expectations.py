"""What a firmware is expected to become: a file beside its manifest, by kind of board, path and case.

No test holds an outcome: what belongs to the firmware is here, known defects among it. Which outcome is better than
which other is in `rig.firmware.outcomes`.
"""

from __future__ import annotations

from collections.abc import Callable
from copy import copy
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from rig.firmware.document import read_document
from rig.firmware.manifest import BoardKind
from rig.firmware.outcomes import BY_HAND, Became, OutcomeName, RungName

#: The variant that a test asks for when it asks for none.
DEFAULT_VARIANT = "default"
Severity = Literal["blocker", "critical", "normal", "minor", "trivial"]
_Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9.-]*$")]
_Text = Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[^\n]+$")]
#: One name or several; without any, all.
_Some = Annotated[tuple[_Text, ...], BeforeValidator(lambda given: (given,) if isinstance(given, str) else given)]


@dataclass(frozen=True, slots=True)
class Situation:
    """What was done to which board: what an expectation is looked up by."""

    board: str
    path: str
    #: The phase a cut landed in, or what a suite calls its case.
    case: str
    generation: str
    variant: str = DEFAULT_VARIANT

    def __str__(self) -> str:
        return f"{self.path}, {self.case}"


class KnownDefect(BaseModel):
    """A defect that a firmware is known to have, as every report shows it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: _Name
    title: _Text
    text: str = Field(min_length=1)
    severity: Severity
    #: Where more is said: a section of a document, or the address of a ticket.
    reference: _Text


class Expected(BaseModel):
    """The outcome of one situation, or of several: what an entry does not name it does not ask for."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    board: BoardKind
    path: _Text
    case: _Some
    #: Whether its cases are those of somebody's own tests, which nobody else can know.
    own: bool = False
    generation: _Some = ()
    variant: _Some = ()
    outcome: OutcomeName
    rung: RungName | None = None
    #: Name of the known defect that this outcome is.
    defect: _Name | None = None

    @model_validator(mode="after")
    def _rung_of_the_outcome(self) -> Expected:
        if self.rung is not None and self.rung not in _rungs_of(self.outcome):
            raise ValueError(f"rung {self.rung} never leads to {self.outcome}")
        return self

    @property
    def became(self) -> Became:
        """The outcome to compare with."""
        return Became(self.outcome, self.rung)

    def fits(self, situation: Situation) -> bool:
        """Whether this is of the situation."""
        return (
            (self.board, self.path) == (situation.board, situation.path)
            and situation.case in self.case
            and (not self.generation or situation.generation in self.generation)
            and (not self.variant or situation.variant in self.variant)
        )

    def covers(self, other: Expected) -> bool:
        """Whether whatever fits the other fits this one."""
        pairs = ((self.case, other.case), (self.generation, other.generation), (self.variant, other.variant))
        return (self.board, self.path) == (other.board, other.path) and all(
            not own or (others and set(others) <= set(own)) for own, others in pairs
        )


def _rungs_of(outcome: str) -> tuple[str, ...]:
    if outcome == "stranded":
        return BY_HAND
    if outcome in ("kept", "lost"):
        return ()
    return ("none",) if outcome == "dead" else ("self", "wait", "power-cycle")


class _Document(BaseModel):
    model_config = ConfigDict(extra="forbid")

    expect: list[Expected] = []
    defect: list[KnownDefect] = []

    @model_validator(mode="after")
    def _names(self) -> _Document:
        names = [defect.name for defect in self.defect]
        if twice := {name for name in names if names.count(name) > 1}:
            raise ValueError(f"defect {min(twice)!r} is there twice")
        for number, entry in enumerate(self.expect):
            if entry.defect is not None and entry.defect not in names:
                raise ValueError(f"expect.{number}.defect: there is no defect {entry.defect!r}")
            for earlier, before in enumerate(self.expect[:number]):
                if before.covers(entry):
                    raise ValueError(f"expect.{number} never counts: expect.{earlier} is of all it is of")
        return self


#: Whether a manifest names a variant itself, by kind of board and name (None: its roles).
NamesRoleSet = Callable[[str, str | None], bool]


class Expectations:
    """The expectations of one file. The first entry that fits a situation counts.

    Laid over others, as a manifest is over the rig's own, they are of the variants that this manifest names.
    """

    def __init__(self, path: Path, document: _Document):
        self.path = path
        self.defects = {defect.name: defect for defect in document.defect}
        self.entries = document.expect
        self._fallback: tuple[Expectations, NamesRoleSet] | None = None

    @classmethod
    def load(cls, path: Path) -> Expectations:
        """Read and validate `path`. Raises Misuse that names the file and the field."""
        return cls(path, read_document(path, _Document, "the expectations"))

    def with_fallback(self, fallback: Expectations, names_role_set: NamesRoleSet) -> Expectations:
        """The same, and `fallback` for the variants that are not named here."""
        filled = copy(self)
        filled._fallback = fallback, names_role_set
        filled.defects = {**fallback.defects, **self.defects}
        return filled

    def expected(self, situation: Situation) -> Expected | None:
        """What is expected in a situation, None where nothing is."""
        return next((entry for entry in self.file_for(situation).entries if entry.fits(situation)), None)

    def file_for(self, situation: Situation) -> Expectations:
        """The file that counts in a situation: this one, or its fallback."""
        if self._fallback is None:
            return self
        fallback, names_role_set = self._fallback
        variant = None if situation.variant == DEFAULT_VARIANT else situation.variant
        return self if names_role_set(situation.board, variant) else fallback.file_for(situation)
