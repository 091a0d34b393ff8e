"""What test workers have to tell people: who waits for which board, and what was found of the lab.

Workers of one run say so in its folder of notes, and whoever shows the run looks into it; others say it themselves.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from rig import escape
from rig.errors import RigError
from rig.files import read_text, writing
from rig.lab.holder import Holder, Life
from rig.lab.notes import put_note

EVERY_SECONDS = 0.25
_WAITS, _ONCE = ".waits", ".once"
_LONGEST = 1 << 16


class Notifier(Protocol):
    """How a process tells people something."""

    def waiting(self, holders: str) -> None:
        """Say who has what this process waits for; empty when it waits no more."""

    def once(self, what: str, text: str) -> None:
        """Say something that people are to hear once, however often and by however many workers it is found."""


class StderrNotifier:
    """A process that nobody shows says it on the standard error."""

    def __init__(self) -> None:
        self._said_once: set[str] = set()

    def waiting(self, holders: str) -> None:
        """Say who has what this process waits for."""
        if holders:
            self._say(f"waiting for a board: {holders}")

    def once(self, what: str, text: str) -> None:
        """Say something, the first time."""
        if what not in self._said_once:
            self._said_once.add(what)
            self._say(text)

    def _say(self, text: str) -> None:
        print(escape.one_line(f"rig: {text}"), file=sys.__stderr__, flush=True)


class NoteNotifier:
    """A worker of a run says it in the run's folder of notes."""

    def __init__(self, folder: Path):
        self._folder = folder

    def waiting(self, holders: str) -> None:
        """Leave a note of who has what this process waits for, or take it back."""
        note = self._folder / f"{os.getpid()}{_WAITS}"
        if holders:
            put_note(note, json.dumps([Holder.this_process().mark, holders]))
        else:
            note.unlink(missing_ok=True)

    def once(self, what: str, text: str) -> None:
        """Leave a note, unless one says the same already."""
        note = self._folder / f"{hashlib.sha256(what.encode(errors='surrogatepass')).hexdigest()[:32]}{_ONCE}"
        with writing(note), contextlib.suppress(FileExistsError), note.open("x", encoding="utf-8") as file:
            file.write(text)


class WaitingMonitor:
    """Calls `on_change` when what is waited for changes, until the context is left; `on_news` with the rest."""

    def __init__(self, folder: Path, on_change: Callable[[str], None], on_news: Callable[[str], None]):
        self._folder, self._on_change, self._on_news = folder, on_change, on_news
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look, name="waiting", daemon=True)

    def __enter__(self) -> WaitingMonitor:
        self._thread.start()
        return self

    def __exit__(self, *_exc: object) -> None:
        self._over.set()
        self._thread.join()

    def _look(self) -> None:
        shown, heard, over = "", set[Path](), False
        while not over:
            over = self._over.wait(EVERY_SECONDS)
            if (holders := "; ".join(sorted(self._waiting()))) != shown:
                shown = holders
                self._on_change(holders)
            for note in sorted(set(self._folder.glob(f"*{_ONCE}")) - heard):
                if text := _read(note):
                    heard.add(note)
                    self._on_news(text)

    def _waiting(self) -> set[str]:
        """What workers wait for; one that was killed waits no more, whatever its note says."""
        found = set()
        for note in self._folder.glob(f"*{_WAITS}"):
            with contextlib.suppress(ValueError):
                mark, holders = json.loads(_read(note) or "[]")
                if (waits := Holder.read(mark)) is not None and waits.life is Life.ALIVE:
                    found.add(str(holders))
        return found


def _read(note: Path) -> str:
    """What a note says; nothing when it has been taken back."""
    try:
        return read_text(note, _LONGEST)
    except RigError:
        return ""
