"""The cut itself: a thread that waits for its trigger with an open connection to the relay, and nothing in between.

labgrid's step stack is not thread-safe and adds latency, so the command leaves on a connection of the cut's own where
the relay's driver has one (labgrid issue 1851), and past that stack where it has not.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from types import TracebackType
from typing import Any

from rig.drivers.contact import Contact
from rig.drivers.progress import Progress
from rig.errors import RigError
from rig.power.trigger import Aim

#: Below this a sleep is too coarse: the rest of the delay is spent looking at the clock.
_SPIN_SECONDS = 0.002


@dataclass(slots=True)
class Fired:
    """When a cut's trigger came, when its command left and when the relay had answered (monotonic ns), and by what."""

    trigger_ns: int
    command_ns: int
    answered_ns: int
    #: What the command went through.
    route: str

    def to_dict(self) -> dict[str, Any]:
        """For the ledger."""
        return {
            "trigger_ns": self.trigger_ns,
            "command_ns": self.command_ns,
            "answer_ns": self.answered_ns,
            "route": self.route,
        }


class Cut:
    """One loss of power, armed while in the context: hand `watch` to whoever updates the board.

    The command leaves `lead_ms` before the moment that is aimed at, but not before the trigger: what the relay and a
    busy machine take is known from a cut before.
    """

    def __init__(self, contact: Contact, aim: Aim, *, lead_ms: float = 0.0):
        self._contact = contact
        self._aim = aim
        self._after_ms = aim.command_after(lead_ms)
        self._triggered = threading.Event()
        self._disarmed = False
        self._trigger_ns = 0
        self._error: RigError | None = None
        self._thread = threading.Thread(target=self._run, name="cut", daemon=True)
        self.fired: Fired | None = None

    def __enter__(self) -> Cut:
        self._contact.connect()
        self._thread.start()
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        """Wait for a cut that was triggered; one that was not never happens."""
        if not self._triggered.is_set():
            self._disarmed = True
            self._triggered.set()
        self._thread.join()
        self._contact.close()
        if self._error is not None:
            raise self._error

    def watch(self, progress: Progress) -> None:
        """See whether this is what the cut waits for."""
        if not self._triggered.is_set() and self._aim.matches(progress):
            self._trigger_ns = time.monotonic_ns()
            self._triggered.set()

    def _run(self) -> None:
        self._triggered.wait()
        if self._disarmed:
            return
        due = self._trigger_ns / 1e9 + self._after_ms / 1e3
        if (left := due - time.monotonic() - _SPIN_SECONDS) > 0:
            time.sleep(left)
        while time.monotonic() < due:
            pass
        command_ns = time.monotonic_ns()
        try:
            self._contact.switch(False)
        except RigError as error:
            self._error = error
            return
        self.fired = Fired(self._trigger_ns, command_ns, time.monotonic_ns(), self._contact.route)
