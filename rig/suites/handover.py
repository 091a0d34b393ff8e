"""What the workers of a run and their controller tell each other, in notes of the run.

pytest-xdist's controller collects no tests. Each worker tells what it found, which is the same for all; the controller
starts the boards that these tests ask for and tells where they are.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from rig.files import make_folder
from rig.lab.notes import put_note
from rig.suites.board_tests import wanted_by
from rig.suites.titles import title_of

if TYPE_CHECKING:
    from rig.lab.wanted import Wanted


_FOUND, _RACK, _WAITED_FOR = "found.json", "rack.json", ".repeats"


@dataclass(frozen=True, slots=True)
class CollectedTests:
    """The tests of a collection, by their ids."""

    #: The boards that they ask for, one for each board test.
    wanted: list[Wanted] = field(default_factory=list)
    #: Whether a test takes boards by itself, so that nobody knows which.
    takes_any: bool = False
    #: What each is called.
    titles: dict[str, str] = field(default_factory=dict)
    #: With which others it shares a worker; none for those that go alone.
    groups: dict[str, str] = field(default_factory=dict)
    #: How many board tests there are with those that were left out, and how many of these take their time.
    there_are: int = 0
    long_left_out: int = 0

    @classmethod
    def of(cls, items: Iterable[pytest.Item], there_are: int = 0, long_left_out: int = 0) -> CollectedTests:
        """What was collected, and how many board tests there are beside."""
        from rig.suites.scheduling import group_of

        takes_any = any("boards" in getattr(item, "fixturenames", ()) for item in items)
        found = cls(takes_any=takes_any, there_are=there_are, long_left_out=long_left_out)
        for item in items:
            if wanted := wanted_by(item):
                found.wanted.append(wanted)
                found.titles[item.nodeid] = title_of(item)
            if group := group_of(item):
                found.groups[item.nodeid] = group
        return found


class Handover:
    """In the folder of the run's notes, which is made when there is something to tell."""

    def __init__(self, folder: Path):
        self._folder = folder

    def report_collected(self, found: CollectedTests) -> None:
        """A worker tells what it has collected. Raises LabFault on a full disk."""
        self._write(_FOUND, json.dumps(asdict(found)))

    def collected(self) -> CollectedTests | None:
        """What workers have collected; None where none of them tells."""
        text = self._read(_FOUND)
        return CollectedTests(**json.loads(text)) if text is not None else None

    def report_rack(self, coordinator: str, environment: Path) -> None:
        """The controller tells where its rack is: coordinator and environment. Raises LabFault on a full disk."""
        self._write(_RACK, json.dumps([coordinator, str(environment)]))

    def rack(self) -> tuple[str, Path] | None:
        """Coordinator and environment of the controller's rack."""
        text = self._read(_RACK)
        if text is None:
            return None
        coordinator, environment = json.loads(text)
        return coordinator, Path(environment)

    @contextmanager
    def waiting_for_a_board(self) -> Iterator[None]:
        """While inside, other workers of the run keep no board from one test to the next. Raises LabFault."""
        note = make_folder(self._folder) / f"{os.getpid()}{_WAITED_FOR}"
        put_note(note, "")
        try:
            yield
        finally:
            note.unlink(missing_ok=True)

    def is_board_waited_for(self) -> bool:
        """Whether a worker waits for a board that another one may have."""
        return any(self._folder.glob(f"*{_WAITED_FOR}"))

    def _write(self, name: str, text: str) -> None:
        """Others may write the same name in this moment: each has a file of its own first."""
        own = make_folder(self._folder) / f"{os.getpid()}-{name}"
        put_note(own, text)
        own.replace(self._folder / name)

    def _read(self, name: str) -> str | None:
        try:
            return (self._folder / name).read_text(encoding="utf-8")
        except FileNotFoundError:
            return None
