"""A sweep of every cut on the model, as the report of a run tells it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class EveryCut:
    """What a sweep of one path came to; `stranded` are cuts that leave a board which needs a hand."""

    kind: str
    path: str
    #: What was chosen of the path, in words; empty where there is nothing to choose.
    choices: str
    points: int
    starts: int
    stranded: int
    #: The map, from the report folder.
    picture: str

    def __str__(self) -> str:
        what = f"{self.kind} {self.path}" + (f" ({self.choices})" if self.choices else "")
        share = f" ({self.stranded / self.points:.3%})" if self.stranded else ""
        return f"{what}: {self.points:,} cuts, {self.starts:,} boards started; {self.stranded:,} need a hand{share}"

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "kind": self.kind,
            "path": self.path,
            "choices": self.choices,
            "points": self.points,
            "starts": self.starts,
            "stranded": self.stranded,
            "picture": self.picture,
        }
