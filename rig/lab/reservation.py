"""A place in the coordinator's queue, for a board that somebody else has now.

A reservation is noted in a file of this user's, so that one that a killed run left is cancelled by the next.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from pathlib import Path

from rig.errors import LabFault
from rig.lab.coordinator import Coordinator
from rig.lab.holder import is_abandoned, notes_folder, this_process


def _notes() -> Path:
    folder = notes_folder() / "reservations"
    folder.mkdir(mode=0o700, exist_ok=True)
    return folder


class Reservation:
    """Queue for one place with all of `tags`; cancelled when the context is left, before the place is released."""

    def __init__(self, coordinator: Coordinator, tags: Mapping[str, str]):
        self._coordinator = coordinator
        self._tags = dict(tags)
        self._token = ""

    def __enter__(self) -> Reservation:
        self._token = self._coordinator.reserve(self._tags)
        (_notes() / self._token).write_text(f"{self._coordinator.address} {this_process()}")
        return self

    def __exit__(self, *_exc: object) -> None:
        self._coordinator.cancel_reservation(self._token)
        (_notes() / self._token).unlink(missing_ok=True)

    def allocated(self) -> str | None:
        """The place that is ours to acquire now, None while we wait. Keeps the reservation alive."""
        return self._coordinator.poll_reservation(self._token)


def cancel_abandoned(coordinator: Coordinator) -> None:
    """Cancel what killed runs of this user queued for at this coordinator."""
    for note in _notes().iterdir():
        address, _, process = note.read_text().partition(" ")
        if address == coordinator.address and is_abandoned(process):
            with contextlib.suppress(LabFault):  # it has expired by itself
                coordinator.cancel_reservation(note.name)
            note.unlink(missing_ok=True)
