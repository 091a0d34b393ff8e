"""A place in the coordinator's queue, for a board that somebody else has now.

A reservation is noted in a file of this user's, so that one that a killed run left is cancelled by the next.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping

from rig.errors import LabFault, Unreachable
from rig.lab.coordinator import Coordinator
from rig.lab.notes import Notes

_TOPIC = "reservations"


class Reservation:
    """Queue for one place with all of `tags`; cancelled when the context is left, before the place is released."""

    def __init__(self, coordinator: Coordinator, tags: Mapping[str, str]):
        self._coordinator = coordinator
        self._tags = dict(tags)
        self._noted = contextlib.ExitStack()
        self._token = ""

    def __enter__(self) -> Reservation:
        self._reserve()
        return self

    def __exit__(self, *_exc: object) -> None:
        with contextlib.suppress(LabFault):  # it has expired by itself, or somebody cancelled it
            self._coordinator.cancel_reservation(self._token)
        self._noted.close()

    def allocated(self) -> str | None:
        """The place that is ours to acquire now, None while we wait. Keeps the reservation alive.

        One that somebody cancelled, or a coordinator that started again forgot, is made anew at the end of the queue.
        """
        try:
            return self._coordinator.poll_reservation(self._token)
        except Unreachable:
            raise
        except LabFault:
            self._reserve()
            return None

    def _reserve(self) -> None:
        self._noted.close()
        self._token = self._coordinator.reserve(self._tags)
        self._noted.enter_context(Notes(_TOPIC, self._coordinator.address).noted(self._token))


def cancel_abandoned(coordinator: Coordinator) -> int:
    """Cancel what killed runs of this user queued for at this coordinator; returns how much that was."""
    cancelled = 0
    for token, note in Notes(_TOPIC, coordinator.address).of_dead_processes().items():
        with contextlib.suppress(LabFault):  # it has expired by itself
            coordinator.cancel_reservation(token)
            cancelled += 1
        note.unlink(missing_ok=True)
    return cancelled
