"""`run.json`: what a run's ledger is made of, each segment with its length and head, so that nothing goes unnoticed.

It is there from a run's first segment on, and says then that the run goes on. Who ends the run writes the heads: the
run itself, or after a kill whoever comes next, who says so. What was lost before that nobody can tell.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from rig.errors import Misuse, RigError
from rig.evidence.ledger_line import GENESIS, encode
from rig.evidence.segment import Segment, is_written
from rig.files import MOST_TEXT, is_there, make_folder, read_text, writing

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


def head_of(folder: Path) -> str | None:
    """The head of the run in `folder`; None while it goes on. Raises Misuse."""
    found = RunManifest.read(folder / NAME)
    return None if found.state == "open" else found.head


def begin_run(folder: Path, run_id: str) -> None:
    """Say in `folder`, made where it is not there, that a run goes on whose segments are to come.

    Raises Misuse where another run's are.
    """
    if not is_there(make_folder(folder) / NAME):
        RunManifest(run=run_id, state="open").write(folder)
    elif (there := RunManifest.read(folder / NAME)).run != run_id or there.state != "open":
        raise Misuse(f"{folder} has the ledger of the run {there.run}", hint="name another report folder")


def end_run(folder: Path, run_id: str) -> None:
    """End this run, whose segments are closed; where one is not, whoever comes next will. Raises Misuse, LabFault."""
    path = folder / NAME
    if not is_there(path) or any(map(is_written, segments_in(folder))):
        return
    if (there := RunManifest.read(path)).run == run_id and there.state == "open":
        write_run_manifest(folder, run_id)


def write_run_manifest(folder: Path, run_id: str) -> Path:
    """End a run: write `run.json` beside the segments in `folder`. Raises Misuse for a segment that was changed."""
    return RunManifest(run=run_id, segments=tuple(_ends(folder))).write(folder)


def end_killed_run(folder: Path, who: str) -> RunManifest:
    """The manifest of the run in `folder`; if nobody ended it and nobody writes to it any more, it is ended.

    Evidence that is kept where nothing can be written stays as it is. Raises Misuse for a segment that was changed.
    """
    found = RunManifest.read(folder / NAME)
    if found.state != "open" or any(map(is_written, segments_in(folder))):
        return found
    ended = RunManifest(run=found.run, state="unfinished", ended_by=who, segments=tuple(_ends(folder)))
    with contextlib.suppress(RigError):
        ended.write(folder)
    return ended


def end_killed_runs(reports: Path, who: str) -> list[RunManifest]:
    """End the killed runs whose report folders lie in `reports`; those that cannot be are left as they are."""
    ended = []
    with contextlib.suppress(OSError):
        for path in sorted(reports.glob(f"*/{FOLDER}/{NAME}")):
            with contextlib.suppress(RigError):
                if RunManifest.read(path).state == "open":
                    ended.append(end_killed_run(path.parent, who))
    return [one for one in ended if one.state != "open"]


def segments_in(folder: Path) -> list[Path]:
    """The segments that lie in a folder."""
    return sorted(path for path in folder.glob("*.jsonl") if re.match(SEGMENT, path.name))


def _ends(folder: Path) -> Iterable[SegmentEnd]:
    return map(SegmentEnd.of, segments_in(folder))


def _once(members: list[tuple[str, Any]]) -> dict[str, Any]:
    if len(dict(members)) < len(members):
        raise ValueError("a key is there twice")
    return dict(members)
