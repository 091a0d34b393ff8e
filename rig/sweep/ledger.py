"""What a sweep knows, on disk: one line a chunk, so that a sweep that was killed goes on where it was.

The first line says of which sweep. A line that was not written whole is one that was not written.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import IO, Any

from rig.errors import Misuse
from rig.files import MOST_IMAGE, is_there, make_folder, read_user_file, writing
from rig.sweep.capsule import Capsule
from rig.sweep.chunk import ChunkResult
from rig.sweep.plan import SweepPlan
from rig.sweep.spans import Span

NAME = "sweep.jsonl"


class SweepLedger:
    """The file of one sweep in a folder, open for what comes."""

    def __init__(self, folder: Path, plan: SweepPlan):
        self._plan = plan
        self.path = folder / NAME
        self._file: IO[bytes] | None = None

    def begin(self) -> None:
        """A new file. Raises Misuse where there is one already, LabFault on a full disk."""
        if is_there(self.path):
            raise Misuse(f"{self.path} is there already", hint="--resume goes on with it; or name another folder")
        make_folder(self.path.parent)
        with writing(self.path):
            self._file = self.path.open("xb")
        self._write({"sweep": self._plan.identity, **self._plan.to_dict()})

    def resume(self) -> list[ChunkResult]:
        """What was known when it ended, and go on behind it. Raises Misuse where it is of another sweep."""
        content = read_user_file(self.path, MOST_IMAGE)
        lines = content[: content.rfind(b"\n") + 1].splitlines()
        try:
            documents = [json.loads(line) for line in lines]
            its = documents[0]["sweep"]
            results = [_result(document) for document in documents[1:]]
        except (ValueError, KeyError, TypeError, IndexError) as error:
            raise Misuse(f"{self.path} is no sweep's: {error}", hint="name another folder") from error
        if its != self._plan.identity:
            raise Misuse(f"{self.path} is of another sweep", hint="the same options and images, or another folder")
        with writing(self.path):
            self._file = self.path.open("r+b")
            self._file.truncate(sum(len(line) + 1 for line in lines))
            self._file.seek(0, os.SEEK_END)
        return results

    def add(self, result: ChunkResult) -> None:
        """A chunk is done. Raises LabFault on a full disk."""
        self._write(
            {
                "begin": result.begin,
                "end": result.end,
                "points": result.points,
                "starts": result.starts,
                "spans": [{**span.to_dict(), "capsule": self._witness(span)} for span in result.spans],
            }
        )

    def _witness(self, span: Span) -> str:
        """The line that does the first cut of a span again."""
        return str(Capsule.of(self._plan, ((span.first, span.tear),), span.settled))

    def close(self) -> None:
        """No more comes. Raises LabFault where the last of it did not fit on the disk."""
        if self._file is not None:
            with writing(self.path):
                self._file.close()

    def _write(self, document: dict[str, Any]) -> None:
        assert self._file is not None, "it was begun or resumed"
        with writing(self.path):
            self._file.write(json.dumps(document, separators=(",", ":")).encode() + b"\n")
            self._file.flush()
            os.fsync(self._file.fileno())


def _result(fields: dict[str, Any]) -> ChunkResult:
    spans = tuple(Span.from_dict(span) for span in fields["spans"])
    numbers = (int(fields[name]) for name in ("begin", "end", "points", "starts"))
    begin, end, points, starts = numbers
    return ChunkResult(begin, end, spans, points, starts)
