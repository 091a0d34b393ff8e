"""Whether evidence is what was written: a run's ledger against its manifest, or a ledger that is a file alone."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rig.errors import Misuse
from rig.evidence.run_life import end_killed_run
from rig.evidence.run_manifest import FOLDER, NAME, RunManifest, SegmentEnd, segments_in
from rig.evidence.segment import Changed, Segment
from rig.files import is_folder, is_there

#: What lies in a report folder whose ledger somebody took out.
_OF_A_REPORT = ("summary.md", "junit.xml", "allure-results")
_HASH = re.compile("[0-9a-f]{64}")
#: The state of a ledger that belongs to no run.
ALONE = "alone"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is not as it was written, and where: a file, with the line where one is known."""

    where: str
    what: str


@dataclass(slots=True)
class Verified:
    """What a folder or file was found to be."""

    path: Path
    run: str | None = None
    #: That of the run (rig.evidence.run_manifest), or alone.
    state: str = ALONE
    #: The run's head, or the file's.
    head: str = ""
    segments: list[SegmentEnd] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "path": str(self.path),
            "run": self.run,
            "state": self.state,
            "head": self.head,
            "segments": [one.model_dump() for one in self.segments],
            "findings": [{"where": one.where, "what": one.what} for one in self.findings],
        }


def verify(path: Path) -> Verified:
    """Look at a report folder, its ledger's folder, a segment, or any ledger. Raises Misuse for what is none.

    A run that was killed is ended first: its manifest gets the heads, and says who wrote them.
    """
    if not is_folder(path):
        return _verify_file(path)
    folder = path / FOLDER if is_folder(path / FOLDER) else path
    if is_there(folder / NAME) or segments_in(folder):
        return _verify_run(folder, None)
    if any(is_there(path / name) for name in _OF_A_REPORT):
        return Verified(path, findings=[Finding(str(path), "the ledger of this report is missing")])
    raise Misuse(f"no ledger is in {path}", hint="name the report folder of a run, or a file of a ledger")


def missing_heads(found: Sequence[Verified], heads: Iterable[str]) -> Iterator[Finding]:
    """Of hashes that were noted elsewhere those that nothing ends in. Raises Misuse for what is no hash."""
    known = {end for one in found for end in (one.head, *(segment.head for segment in one.segments))}
    for head in heads:
        if not _HASH.fullmatch(head.lower()):
            raise Misuse(f"--head {head} is no hash", hint="64 hex digits, as `rig run` and this command print")
        if head.lower() not in known:
            yield Finding("--head", f"neither a run nor a segment ends in {head.lower()}")


def _verify_file(path: Path) -> Verified:
    if path.name == NAME:
        return _verify_run(path.parent, None)
    if is_there(path.parent / NAME):
        return _verify_run(path.parent, path.name)
    found = Verified(path)
    segment = _read(path, found)
    if segment is not None:
        found.head = segment.head
        found.segments.append(SegmentEnd.model_construct(segment=path.name, lines=segment.lines, head=segment.head))
        if segment.lines == 0:
            found.findings.append(Finding(str(path), "it is empty"))
        if segment.torn:
            found.findings.append(Finding(str(path), "its last line is torn"))
    return found


def _verify_run(folder: Path, only: str | None) -> Verified:
    """All of a run, or one segment of it against the run's manifest."""
    found = Verified(folder)
    manifest = _manifest(folder, found)
    if manifest is not None:
        found.run, found.state, found.head = manifest.run, manifest.state, manifest.head
    listed = {one.segment: one for one in manifest.segments} if manifest is not None else {}
    if found.state != "open" and manifest is not None:
        found.findings += [
            Finding(str(folder / name), f"{NAME} names it, and it is missing")
            for name in listed
            if only in (None, name) and not is_there(folder / name)
        ]
        found.findings += _strangers(folder, listed, only)
    for path in segments_in(folder):
        if only in (None, path.name):
            _verify_segment(path, found, listed.get(path.name))
    return found


def _manifest(folder: Path, found: Verified) -> RunManifest | None:
    """The run's manifest; that of a run that was killed is written."""
    path = folder / NAME
    if not is_there(path):
        found.findings.append(Finding(str(path), "it is missing"))
        return None
    try:
        return end_killed_run(folder, "rig ledger verify")
    except Changed:  # told with its segment
        return RunManifest.read(path)
    except Misuse as error:
        found.findings.append(Finding(str(path), error.message))
        return None


def _strangers(folder: Path, listed: dict[str, SegmentEnd], only: str | None) -> Iterator[Finding]:
    """What lies beside the segments and the run knows nothing of."""
    for path in sorted(folder.iterdir()):
        if path.name not in (NAME, *listed) and only in (None, path.name):
            yield Finding(str(path), f"{NAME} does not name it")


def _verify_segment(path: Path, found: Verified, listed: SegmentEnd | None) -> None:
    segment = _read(path, found)
    if segment is None:
        return
    found.segments.append(SegmentEnd(segment=path.name, lines=segment.lines, head=segment.head, torn=segment.torn))
    if others := segment.runs - {found.run}:
        found.findings.append(Finding(str(path), f"it has lines of the run {min(others)}"))
    if segment.lines == 0 and found.state in ("finished", ALONE):  # a run that was killed may have begun one
        found.findings.append(Finding(str(path), "it is empty"))
    if listed is not None and found.state != "open":
        found.findings += [Finding(str(path), what) for what in _differences(segment, listed)]


def _differences(segment: Segment, listed: SegmentEnd) -> Iterator[str]:
    if segment.lines < listed.lines:
        yield f"lines are missing at its end: it has {segment.lines} of {listed.lines}"
    elif segment.lines > listed.lines:
        yield f"lines were added at its end: it has {segment.lines}, and had {listed.lines}"
    elif segment.head != listed.head:
        yield f"it ends in another line than the one {NAME} names"
    if segment.torn != listed.torn:
        yield f"{segment.torn} bytes are behind its last line, and {listed.torn} were"


def _read(path: Path, found: Verified) -> Segment | None:
    """A segment that is as it was written, as far as it tells itself. Raises Misuse for what is no file."""
    segment = Segment(path)
    try:
        segment.read()
    except Changed as error:
        found.findings.append(Finding(f"{path}:{error.line}", error.what))
        return None
    return segment
