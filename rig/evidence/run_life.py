"""The life of a run in its ledger's folder: begun before its first segment, held while it goes on, ended once.

`run.json` says from the beginning that the run goes on, and the process whose run it is keeps the folder locked. Who
ends the run writes the heads: that process, or after a kill whoever comes next, who says so. What was lost before that
nobody can tell.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

from rig.errors import LabFault, Misuse, RigError
from rig.evidence.run_manifest import FOLDER, NAME, RunManifest, segments_in
from rig.evidence.segment import is_written
from rig.files import is_there, make_folder, unreadable


class OpenRun:
    """A run of this process, from its beginning to its end; nobody else ends it meanwhile."""

    def __init__(self, folder: Path, run_id: str, handle: int):
        self._folder, self._run_id, self._handle = folder, run_id, handle

    @classmethod
    def begin(cls, folder: Path, run_id: str) -> OpenRun:
        """Say in `folder`, made where it is not there, that a run goes on whose segments are to come.

        Raises Misuse where another run's are, or another process writes there.
        """
        handle = _lock(make_folder(folder))
        if handle is None:
            raise Misuse(f"another process writes a run into {folder}", hint="name another report folder")
        try:
            join_run(folder, run_id)
        except BaseException:
            os.close(handle)
            raise
        return cls(folder, run_id, handle)

    @classmethod
    def go_on(cls, folder: Path, who: str) -> OpenRun:
        """Open the run in `folder` again, after it ended or was killed, for segments that are to come.

        Those that are there stay as they are. Raises Misuse where they do not, or another process writes there.
        """
        handle = _lock(folder)
        if handle is None:
            raise Misuse(f"another process writes a run into {folder}", hint="wait until it is over")
        try:
            before = RunManifest.read(folder / NAME)
            now = RunManifest.of_segments_in(folder, before.run, ended_by=who)
            _refuse_changed(folder, before, now)
            RunManifest(run=before.run, state="open", segments=now.segments).write(folder)
        except BaseException:
            os.close(handle)
            raise
        return cls(folder, before.run, handle)

    @property
    def run_id(self) -> str:
        """Which run it is."""
        return self._run_id

    def end(self) -> str | None:
        """End the run, whose segments are closed, and return its head; None where a worker has not ended.

        Raises LabFault where its ledger was removed meanwhile, Misuse where it was changed.
        """
        try:
            if not self._is_there():
                raise LabFault(f"the ledger {self._folder} was removed while the run went on", hint="start it again")
            return _end(self._folder, self._run_id)
        finally:
            os.close(self._handle)

    def _is_there(self) -> bool:
        """Whether the folder is the one that the run was begun in."""
        with contextlib.suppress(OSError):
            return os.path.samestat(os.fstat(self._handle), self._folder.stat()) and is_there(self._folder / NAME)
        return False


def join_run(folder: Path, run_id: str) -> None:
    """Say the same as one of a run's workers, whoever does so first. Raises Misuse where another run's segments are."""
    others = bool(segments_in(make_folder(folder)))
    if is_there(folder / NAME):
        there = RunManifest.read(folder / NAME)
        others = there.run != run_id or there.state != "open"
    elif not others:
        RunManifest(run=run_id, state="open").write(folder)
    if others:
        raise Misuse(f"{folder} has the ledger of another run", hint="name another report folder")


def end_joined_run(folder: Path, run_id: str) -> None:
    """End a run that only its workers began. Raises Misuse, LabFault."""
    if not is_there(folder / NAME):
        return
    with _held(folder) as is_ours:
        there = RunManifest.read(folder / NAME)
        if is_ours and there.run == run_id and there.state == "open":
            _end(folder, run_id)


def end_killed_run(folder: Path, who: str) -> RunManifest:
    """The manifest of the run in `folder`; if nobody ended it and nobody writes to it any more, it is ended.

    Evidence that is kept where nothing can be written stays as it is. Raises Misuse for a segment that was changed.
    """
    with _held(folder) as is_ours:
        found = RunManifest.read(folder / NAME)
        if found.state != "open" or not is_ours or any(map(is_written, segments_in(folder))):
            return found
        ended = RunManifest.of_segments_in(folder, found.run, ended_by=who)
        with contextlib.suppress(RigError):
            ended.write(folder)
        return ended


def end_killed_runs(reports: Path, who: str) -> list[RunManifest]:
    """End the killed runs whose report folders lie in `reports`; those that cannot be are left as they are."""
    ended = []
    for path in sorted(reports.glob(f"*/{FOLDER}/{NAME}")):
        with contextlib.suppress(RigError, OSError):
            if RunManifest.read(path).state == "open":
                end_killed_run(path.parent, who)
                if (now := RunManifest.read(path)).state != "open":
                    ended.append(now)
    return ended


def head_of(folder: Path) -> str | None:
    """The head of the run in `folder`; None while it goes on. Raises Misuse."""
    found = RunManifest.read(folder / NAME)
    return None if found.state == "open" else found.head


def _end(folder: Path, run_id: str) -> str | None:
    if any(map(is_written, segments_in(folder))):
        return None
    ended = RunManifest.of_segments_in(folder, run_id)
    _refuse_changed(folder, RunManifest.read(folder / NAME), ended)
    ended.write(folder)
    return ended.head


def _refuse_changed(folder: Path, before: RunManifest, now: RunManifest) -> None:
    """Raises Misuse where a segment is not any more what a manifest says of it."""
    ends = {one.segment: one for one in now.segments}
    for one in before.segments:
        if ends.get(one.segment) != one:
            raise Misuse(f"{folder / one.segment} is not what it was when its run ended", hint="`rig ledger verify`")


@contextlib.contextmanager
def _held(folder: Path) -> Iterator[bool]:
    """While nobody else ends the run in a folder, or goes on with it: whether that is so."""
    handle = _lock(folder)
    try:
        yield handle is not None
    finally:
        if handle is not None:
            os.close(handle)


def _lock(folder: Path) -> int | None:
    """A folder, locked until this is closed; None where another process has it."""
    try:
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        raise unreadable(folder, error) from error
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(handle)
        return None
    return handle
