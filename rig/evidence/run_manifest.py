"""`run.json`: what a run's ledger is made of, each segment with its length and head, so that nothing goes unnoticed.

When it is written and by whom: rig.evidence.run_life.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from rig.errors import Misuse
from rig.evidence.ledger_line import GENESIS, encode
from rig.evidence.segment import Segment
from rig.files import MOST_TEXT, read_text, writing

NAME = "run.json"
#: Of a folder of a run, the one with its ledger.
FOLDER = "ledger"
SEGMENT = r"^[A-Za-z0-9_][A-Za-z0-9._-]*\.jsonl$"
State = Literal["open", "finished", "unfinished"]


class SegmentEnd(BaseModel):
    """A segment's name, how many lines it has, and the hash of the last; a kill left `torn` bytes of one more."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    segment: str = Field(pattern=SEGMENT)
    lines: int = Field(ge=0)
    head: str = Field(pattern=r"^[0-9a-f]{64}$")
    torn: int = Field(default=0, ge=0)

    @classmethod
    def of(cls, path: Path) -> SegmentEnd:
        """How a segment ends now. Raises Misuse for one that was changed."""
        read = Segment(path).read()
        return cls(segment=path.name, lines=read.lines, head=read.head, torn=read.torn)


class RunManifest(BaseModel):
    """A run, and its segments as whoever ended it saw them."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    run: str
    state: State = "finished"
    #: Who ended a run that did not end itself.
    ended_by: str | None = None
    segments: tuple[SegmentEnd, ...] = ()

    @model_validator(mode="after")
    def _each_once(self) -> RunManifest:
        names = [one.segment for one in self.segments]
        heads = [one.head for one in self.segments if one.head != GENESIS]
        if len(set(names)) < len(names) or len(set(heads)) < len(heads):
            raise ValueError("a segment is there twice")
        return self

    @property
    def head(self) -> str:
        """One hash for all of the run: what to note elsewhere, for nobody can change the run then unnoticed."""
        ends = [one.model_dump() for one in sorted(self.segments, key=lambda one: one.segment)]
        return hashlib.sha256(encode({"run": self.run, "segments": ends})).hexdigest()

    @classmethod
    def read(cls, path: Path) -> RunManifest:
        """That of a file. Raises Misuse for what is none."""
        try:
            return cls.model_validate(json.loads(read_text(path, MOST_TEXT), object_pairs_hook=_once))
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(map(str, first["loc"]))
            raise Misuse(f"{path}: {f'{where}: ' if where else ''}{first['msg']}") from None
        except RecursionError:
            raise Misuse(f"{path} is nested too deeply to be a run's manifest") from None
        except ValueError as error:
            raise Misuse(f"{path} is no JSON: {error}") from None

    @classmethod
    def of_segments_in(cls, folder: Path, run_id: str, *, ended_by: str | None = None) -> RunManifest:
        """That of a run that is over, as its segments end now. Raises Misuse for a segment that was changed."""
        state: State = "finished" if ended_by is None else "unfinished"
        return cls(run=run_id, state=state, ended_by=ended_by, segments=tuple(map(SegmentEnd.of, segments_in(folder))))

    def write(self, folder: Path) -> Path:
        """Write it beside the segments, whole or not at all. Raises LabFault, Misuse."""
        path = folder / NAME
        fresh = folder.parent / f".{NAME}.{os.getpid()}"
        with writing(path):
            try:
                fresh.write_text(json.dumps(self.model_dump(exclude_none=True), indent=1) + "\n")
                fresh.replace(path)
            except OSError:
                fresh.unlink(missing_ok=True)
                raise
        return path


def segments_in(folder: Path) -> list[Path]:
    """The segments that lie in a folder."""
    return sorted(path for path in folder.glob("*.jsonl") if re.match(SEGMENT, path.name))


def _once(members: list[tuple[str, Any]]) -> dict[str, Any]:
    if len(dict(members)) < len(members):
        raise ValueError("a key is there twice")
    return dict(members)
