"""What test workers have to tell people: who waits for which board, and what was found of the lab.

They say so in a folder, and whoever shows a run looks into it.
"""

from __future__ import annotations

import contextlib
import os
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

from rig import escape

#: Where workers say that they wait; without it they say so on the standard error.
FOLDER_VARIABLE = "RIG_WAITING_FOLDER"
EVERY_SECONDS = 0.25
#: How the names of notes end that are to be heard once.
_ONCE = ".once"
_told: set[str] = set()


def tell_waiting(holders: str) -> None:
    """Say who has what this process waits for; empty when it waits no more."""
    folder = os.environ.get(FOLDER_VARIABLE)
    if folder is None:
        if holders:
            print(escape.terminal(f"rig: waiting for a board: {holders}"), file=sys.__stderr__, flush=True)
        return
    note = Path(folder) / str(os.getpid())
    if holders:
        note.with_suffix(".new").write_text(holders)
        note.with_suffix(".new").replace(note)
    else:
        note.unlink(missing_ok=True)


def tell_once(place: str, text: str) -> None:
    """Say something of a place that people are to hear once, however often and by however many workers it is found."""
    folder = os.environ.get(FOLDER_VARIABLE)
    if folder is None:
        if place not in _told:
            _told.add(place)
            print(f"rig: {text}", file=sys.__stderr__, flush=True)
        return
    note = Path(folder) / f"{quote(place, safe='')}{_ONCE}"
    with contextlib.suppress(FileExistsError), note.open("x", encoding="utf-8") as file:
        file.write(text)


class WaitingWatch:
    """Calls `tell` with what is waited for, each time that changes, until the context is left; `news` with the rest."""

    def __init__(self, folder: Path, tell: Callable[[str], None], news: Callable[[str], None]):
        self._folder, self._tell, self._news = folder, tell, news
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look, name="waiting", daemon=True)

    def __enter__(self) -> WaitingWatch:
        self._folder.mkdir(parents=True, exist_ok=True)
        os.environ[FOLDER_VARIABLE] = str(self._folder)
        self._thread.start()
        return self

    def __exit__(self, *_exc: object) -> None:
        del os.environ[FOLDER_VARIABLE]
        self._over.set()
        self._thread.join()

    def _look(self) -> None:
        shown, heard, over = "", set[Path](), False
        while not over:
            over = self._over.wait(EVERY_SECONDS)
            notes = sorted({_read(note) for note in self._folder.iterdir() if not note.suffix})
            if (told := "; ".join(filter(None, notes))) != shown:
                shown = told
                self._tell(told)
            for note in sorted(set(self._folder.glob(f"*{_ONCE}")) - heard):
                if text := _read(note):
                    heard.add(note)
                    self._news(text)


def _read(note: Path) -> str:
    """What a note says; nothing when it has been taken back."""
    try:
        return note.read_text(encoding="utf-8")
    except FileNotFoundError:
        return ""
