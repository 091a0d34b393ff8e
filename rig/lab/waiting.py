"""Who waits for a board and for whom: test workers say so in a folder, and whoever shows a run looks into it."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable
from pathlib import Path

from rig import escape

#: Where workers say that they wait; without it they say so on the standard error.
FOLDER_VARIABLE = "RIG_WAITING_FOLDER"
EVERY_SECONDS = 0.25


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


class WaitingWatch:
    """Calls `tell` with what is waited for, each time that changes, until the context is left."""

    def __init__(self, folder: Path, tell: Callable[[str], None]):
        self._folder, self._tell = folder, tell
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
        shown = ""
        while not self._over.wait(EVERY_SECONDS):
            notes = sorted({note.read_text() for note in self._folder.iterdir() if not note.suffix})
            if (told := "; ".join(notes)) != shown:
                shown = told
                self._tell(told)
