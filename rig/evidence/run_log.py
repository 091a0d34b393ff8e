"""The log of a run, `results.jsonl`: a line for all that happens, on the disk as it happens.

A run that is killed leaves it, and its report is made from it. The first line says what is tested; each line says `at`
how many seconds of the run it was written.
"""

from __future__ import annotations

import fcntl
import json
import os
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from rig.errors import Misuse
from rig.evidence.coverage import Cases
from rig.evidence.identity import RunIdentity
from rig.evidence.required import Required
from rig.evidence.results import UNDER_WAY, RunVerdict, TestResult, judge_interrupted
from rig.evidence.run_record import RunRecord
from rig.evidence.segment import is_written
from rig.files import MOST_IMAGE, is_there, make_folder, read_text, writing

NAME = "results.jsonl"


class RunLog:
    """Written by the one process that runs the suites. Raises Misuse, and LabFault where the disk is full."""

    def __init__(self, folder: Path, identity: RunIdentity):
        self.path = make_folder(folder) / NAME
        self.run = identity.run
        self._began = time.monotonic()
        with writing(self.path):
            handle = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC, 0o666)
            self._file = os.fdopen(handle, "ab", buffering=0)
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        self._write("begun", identity=identity.model_dump(mode="json"))

    def required(self, required: Required) -> None:
        """So much is to be covered."""
        self._write("required", **required.to_dict())

    def collected(self, count: int, cases: Cases | None = None) -> None:
        """So many tests are to be run, and these are the cases among them."""
        self._write("collected", count=count, cases=asdict(cases) if cases is not None else None)

    def started(self, name: str) -> None:
        """A test begins."""
        self._write("started", name=name)

    def finished(self, result: TestResult) -> None:
        """A test is over."""
        self._write("finished", result=asdict(result))

    def ended(self, verdict: RunVerdict, seconds: float) -> None:
        """The run came to its end after so long."""
        self._write("ended", verdict=asdict(verdict), seconds=round(seconds, 1))

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()

    def _write(self, kind: str, **content: Any) -> None:
        line = {"kind": kind, "at": round(time.monotonic() - self._began, 1), **content}
        with writing(self.path):
            self._file.write(json.dumps(line).encode() + b"\n")
            os.fsync(self._file.fileno())


def goes_on(folder: Path) -> bool:
    """Whether the run that writes into this report folder is still under way."""
    return is_there(folder / NAME) and is_written(folder / NAME)


def read_run(folder: Path) -> RunRecord:
    """The run whose report folder this is, as far as its log goes; a torn last line is passed over. Raises Misuse."""
    path = folder / NAME
    if not is_there(path):
        raise Misuse(f"{folder} has no {NAME}", hint="name the report folder of a `rig run`")
    record: RunRecord | None = None
    for number, text in enumerate(read_text(path, MOST_IMAGE).split("\n")[:-1], 1):
        try:
            line = json.loads(text)
            record = _first(line) if record is None else _with_line(record, line)
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError, ValidationError) as error:
            raise Misuse(f"{path}:{number}: no line of a run's log: {type(error).__name__}") from None
    if record is None:
        raise Misuse(f"{path} is empty: the run was killed before it began", hint="nothing can be told of it")
    if record.killed:
        record.verdict = judge_interrupted(record.results)
    else:
        record.under_way = []
    record.identity = record.identity.narrowed(record.results)
    return record


def _first(line: dict[str, Any]) -> RunRecord:
    return RunRecord(RunIdentity.model_validate(line["identity"]), [], UNDER_WAY, 0.0, killed=True)


def _with_line(record: RunRecord, line: dict[str, Any]) -> RunRecord:
    """A record with what one more line says."""
    record.seconds = float(line["at"])
    match line["kind"]:
        case "collected":
            record.chosen, cases = int(line["count"]), line.get("cases")
            record.cases = _cases(cases) if cases is not None else None
        case "required":
            record.required = Required.from_dict(line)
        case "started":
            record.under_way.append(str(line["name"]))
        case "finished":
            result = _result(line["result"])
            record.results.append(result)
            if result.name in record.under_way:
                record.under_way.remove(result.name)
        case "ended":
            verdict, record.seconds = line["verdict"], float(line["seconds"])
            record.verdict, record.killed = RunVerdict(str(verdict["word"]), int(verdict["status"])), False
        case other:
            raise ValueError(other)
    return record


def _cases(entry: dict[str, Any]) -> Cases:
    chosen = {str(case): str(title) for case, title in entry["chosen"].items()}
    return Cases(chosen, int(entry["there_are"]), int(entry["long_left_out"]))


def _result(entry: dict[str, Any]) -> TestResult:
    properties = {str(name): str(value) for name, value in entry["properties"].items()}
    name, result, message, fault_report = (
        str(entry.get(key, "")) for key in ("name", "result", "message", "fault_report")
    )
    return TestResult(name, result, float(entry["seconds"]), message, properties, fault_report)
