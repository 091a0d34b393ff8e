"""Notes that processes of this user leave one another on this host: small files in a folder that is ours alone.

A note names the process that wrote it (rig.lab.holder), so that those of the dead are known, whoever was killed.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rig.clock import Clock, poll
from rig.errors import LabFault, RigError
from rig.files import make_folder, own_folder, read_text, writing
from rig.lab.holder import Holder, Life

#: How long somebody else may tidy up at a coordinator: it waits 90 s for each exporter that hangs.
TIDYING_SECONDS = 300.0
_LONGEST_NOTE = 1 << 16
_RUNS = "runs"


class Notes:
    """Notes on a topic at a coordinator: each is a name, and who wrote it."""

    def __init__(self, topic: str, coordinator: str):
        self._folder = make_folder(notes_folder() / topic)
        self._coordinator = coordinator

    @contextmanager
    def noted(self, name: str) -> Iterator[None]:
        """A note of this process, while inside; one that is killed leaves it. Raises LabFault on a full disk."""
        note = self._folder / f"{_digest(self._coordinator, name)}.{os.getpid()}"
        content = {"name": name, "coordinator": self._coordinator, "holder": Holder.this_process().mark}
        try:
            put_note(note, json.dumps(content))
            yield
        finally:
            note.unlink(missing_ok=True)

    def of_dead_processes(self) -> dict[str, Path]:
        """Names that dead processes left at this coordinator, and the notes to take away when that is dealt with."""
        found = {}
        for note in sorted(self._folder.iterdir()):
            content = _read(note)
            writer = Holder.read(str(content.get("holder")))
            if content.get("coordinator") == self._coordinator and writer is not None and writer.life is Life.DEAD:
                found[str(content.get("name"))] = note
        return found


def put_note(note: Path, text: str) -> None:
    """Write a note, whole or not at all. Raises LabFault on a full disk, Misuse where its folder is gone."""
    fresh = note.with_name(f"{note.name}.new")  # processes that note the same have a note each
    with writing(note):
        try:
            fresh.write_text(text, encoding="utf-8")
            fresh.replace(note)
        finally:
            fresh.unlink(missing_ok=True)


@contextmanager
def folder_of_a_run() -> Iterator[Path]:
    """A folder for the notes of one run's processes, gone with the run; those that killed runs left go now."""
    runs = make_folder(notes_folder() / _RUNS)
    for left in runs.iterdir():
        if (holder := Holder.read(f"rig/{left.name}")) is not None and holder.life is Life.DEAD:
            shutil.rmtree(left, ignore_errors=True)
    folder = make_folder(path_of_a_run())
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def path_of_a_run() -> Path:
    """Where the notes are of the run that this process began. Raises Misuse where that cannot be ours alone."""
    return notes_folder() / _RUNS / Holder.this_process().mark.partition("/")[2]


def notes_folder() -> Path:
    """The folder. Raises Misuse for what others made or can write to: they could have places taken from people."""
    return own_folder(Path(tempfile.gettempdir()) / f"rig-notes-{os.getuid()}")


@contextmanager
def one_at_a_time(coordinator: str, *, seconds: float = TIDYING_SECONDS) -> Iterator[None]:
    """Keep other processes of this user from tidying up at the same coordinator.

    Raises LabFault that names who does so when that takes longer than `seconds`.
    """
    path = notes_folder() / f"{_digest(coordinator)}.lock"
    with writing(path):
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    with os.fdopen(handle, "r+b") as lock:
        if poll(lambda: _lock(handle), seconds=seconds, clock=Clock(), every=0.1) is None:
            pid = lock.read(20).decode(errors="replace").strip() or "unknown"
            what = f"process {pid} brings boards back at {coordinator}, and does not come to an end"
            raise LabFault(what, hint=f"if it hangs: `kill -9 {pid}`")
        os.ftruncate(handle, 0)
        os.pwrite(handle, str(os.getpid()).encode(), 0)
        yield


def _lock(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _digest(*words: str) -> str:
    """A name for a file, however long the words are and whatever is in them."""
    return hashlib.sha256("\0".join(words).encode(errors="surrogatepass")).hexdigest()[:32]


def _read(note: Path) -> dict[str, Any]:
    """What a note says; nothing for what is none, or has been taken back."""
    try:
        content = json.loads(read_text(note, _LONGEST_NOTE))
    except (RigError, ValueError, RecursionError):
        return {}
    return content if isinstance(content, dict) else {}
