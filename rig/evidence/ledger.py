"""The ledger: one JSON line for every cut and swap, append-only, on the disk line by line, each chained to the last.

A line is an `intent` (before the relay opens) or a `cut` (when the outcome is known), a `swap-intent` or a `swap`; a
reader tells a torn last line from a damaged one. One segment a worker; the run's manifest names segments and heads.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

from rig.errors import Misuse

GENESIS = "0" * 64


def _digest(previous: str, body: str) -> str:
    return hashlib.sha256(f"{previous}\n{body}".encode()).hexdigest()


class Ledger:
    """One segment, open for appending."""

    def __init__(self, path: Path):
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        self.head = GENESIS
        self.lines = 0
        if path.exists():
            for line in read_ledger(path):
                self.head, self.lines = line["hash"], self.lines + 1
            _drop_torn_end(path)
        self._file = path.open("ab")

    def append(self, kind: str, content: Mapping[str, Any]) -> dict[str, Any]:
        """Write one line and see it on the disk before returning; returns the line."""
        body = {"kind": kind, **content}
        text = json.dumps(body, sort_keys=True, separators=(",", ":"))
        self.head = _digest(self.head, text)
        line = {**body, "hash": self.head}
        self._file.write(json.dumps(line, sort_keys=True, separators=(",", ":")).encode() + b"\n")
        self._file.flush()
        os.fsync(self._file.fileno())
        self.lines += 1
        return line

    def close(self) -> None:
        """Close the segment."""
        self._file.close()

    def __enter__(self) -> Ledger:
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self.close()


def open_ledger(path: Path) -> Ledger:
    """A segment that somebody named. Raises Misuse when it cannot be written."""
    try:
        return Ledger(path)
    except OSError as error:
        raise Misuse(f"cannot write the ledger {path}: {error.strerror}") from error


def read_ledger(path: Path) -> Iterator[dict[str, Any]]:
    """The lines of a segment, their chain checked; a torn last line, as a killed run leaves it, is passed over.

    Raises Misuse that names file and line for anything else that is wrong.
    """
    previous = GENESIS
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise Misuse(f"cannot read the ledger {path}: {error.strerror}") from error
    for number, text in enumerate(raw.split(b"\n"), start=1):
        if not text:
            continue
        if not raw.endswith(b"\n") and number == raw.count(b"\n") + 1:
            return
        try:
            line = json.loads(text)
            told = line.pop("hash")
        except (ValueError, KeyError, AttributeError, TypeError):
            raise Misuse(f"{path}:{number}: not a ledger line") from None
        previous = _digest(previous, json.dumps(line, sort_keys=True, separators=(",", ":")))
        if told != previous:
            raise Misuse(f"{path}:{number}: the chain is broken", hint="the line or one before it was changed")
        yield {**line, "hash": told}


def write_run_manifest(folder: Path, run_id: str) -> Path:
    """Write `run.json` beside the segments in `folder`: the run's id, and each segment's length and head."""
    segments = []
    for path in sorted(folder.glob("*.jsonl")):
        lines = list(read_ledger(path))
        segments.append({"segment": path.name, "lines": len(lines), "head": lines[-1]["hash"] if lines else GENESIS})
    path = folder / "run.json"
    path.write_text(json.dumps({"run": run_id, "segments": segments}, indent=1) + "\n")
    return path


def _drop_torn_end(path: Path) -> None:
    raw = path.read_bytes()
    if raw and not raw.endswith(b"\n"):
        with path.open("r+b") as file:
            file.truncate(raw.rfind(b"\n") + 1)


def unfinished(path: Path) -> list[dict[str, Any]]:
    """Intents without a cut or a swap: what a run was doing when it was killed. Raises Misuse."""
    pending: dict[str, dict[str, Any]] = {}
    for line in read_ledger(path):
        if line["kind"] in ("intent", "swap-intent"):
            pending[line["trial"]] = line
        elif line["kind"] in ("cut", "swap"):
            pending.pop(line["trial"], None)
    return list(pending.values())
