"""Boards for a test run: found by tags at a coordinator, acquired, handed out, and given back powered.

Each place we hold carries the tag `held_by` with the process that holds it, so that the next run can tell what a
killed one left behind, and bring it back.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from rig.boards.timing import number_of
from rig.clock import Clock, look_for
from rig.errors import LabFault, Misuse, RigError
from rig.lab.coordinator import Coordinator
from rig.lab.health import HEALTH, OK, Health, acquit, all_health, is_quarantined, quarantine
from rig.lab.holder import HOLDER_TAG, is_abandoned, one_at_a_time, this_process, unchanged_since_taken
from rig.lab.reservation import Reservation, cancel_abandoned
from rig.lab.scheduling import rare
from rig.lab.targets import AnyBoard, build_board, forget_session, share_session
from rig.lab.waiting import tell_waiting

#: How long to wait for a place that somebody else has.
PATIENCE_SECONDS = 60.0


class NotHere(Misuse):
    """No place at this coordinator can do what was asked for."""


class Boards:
    """What one test worker has acquired. Use as a context manager; leaving it gives everything back, powered."""

    def __init__(self, coordinator: str, environment: Path, *, patience: float = PATIENCE_SECONDS, reaps: bool = True):
        """`reaps`: whether what a killed run of this host left is given back at the beginning."""
        self._patience, self._reaps = patience, reaps
        self._address = coordinator
        self._environment = environment
        self._coordinator = Coordinator(coordinator)
        self._held: dict[str, tuple[AnyBoard, Any]] = {}
        #: Places that a killed run had left acquired, and that were given back when this began.
        self.reaped: list[str] = []

    def __enter__(self) -> Boards:
        os.environ["LG_COORDINATOR"] = self._address
        self._coordinator.__enter__()
        share_session(self._coordinator)
        if self._reaps:
            self._reap()
        return self

    def __exit__(self, *exc: Any) -> None:
        try:
            self.give_back()
        finally:
            self._coordinator.__exit__(*exc)
            forget_session()

    def give_back(self) -> None:
        """Give back everything that is held, powered. Raises the first fault when all have been tried."""
        failed: list[RigError] = []
        for name in list(self._held):
            try:
                self._give_back(name)
            except RigError as error:
                failed.append(error)
        if failed:
            raise failed[0]

    def get(self, kind: str, tags: Mapping[str, str]) -> AnyBoard:
        """A board of `kind` whose place has all `tags`: the quickest that we hold or that is free.

        Waits in the coordinator's queue when all are taken. Raises NotHere when no place has these tags, LabFault
        when all that have them stay taken.
        """
        fitting = self._fitting(kind, tags)
        found = self._take_free(fitting, 1)
        if found is None:
            all_say_ok = all(place.tags.get(HEALTH) == OK for place in fitting.values())
            wanted = {"board": kind, **tags, **({HEALTH: OK} if all_say_ok else {})}
            with Reservation(self._coordinator, wanted) as queued:
                found = self._wait(fitting, lambda: self._take_free(fitting, 1) if queued.allocated() else None)
        return found[0]

    def get_several(self, kind: str, tags: Mapping[str, str], count: int) -> list[AnyBoard]:
        """`count` boards of `kind`, all or none. Raises NotHere when there are fewer, LabFault when they stay taken."""
        fitting = self._fitting(kind, tags)
        if len(fitting) < count:
            raise NotHere(f"{len(fitting)} places have {_spoken(kind, tags)}, not {count}")
        return self._take_free(fitting, count) or self._wait(fitting, lambda: self._take_free(fitting, count))

    def _fitting(self, kind: str, tags: Mapping[str, str]) -> dict[str, Any]:
        """Places with these tags whose boards are healthy."""
        places = self._coordinator.places()
        wanted = {"board": kind, **tags}
        fitting = {name: place for name, place in places.items() if wanted.items() <= place.tags.items()}
        if not fitting:
            raise NotHere(
                f"no place has {_spoken(kind, tags)}", hint=f"places are {', '.join(sorted(places)) or 'none'}"
            )
        healthy = {name: place for name, place in fitting.items() if not is_quarantined(place.tags)}
        if not healthy:
            told = ", ".join(f"{name} ({place.tags.get('reason', 'unknown')})" for name, place in fitting.items())
            raise LabFault(f"every place that fits is in quarantine: {told}", hint="rig lab health --control-cut PLACE")
        return healthy

    def _wait(self, fitting: Mapping[str, Any], look: Callable[[], list[AnyBoard] | None]) -> list[AnyBoard]:
        """Look until there is something, showing who holds what meanwhile. Raises LabFault."""
        shown = ""

        def look_and_show() -> list[AnyBoard] | None:
            nonlocal shown
            found = look()
            if found is None and (holders := self._holders(fitting)) != shown:
                shown = holders
                tell_waiting(holders)
            return found

        try:
            found = look_for(look_and_show, seconds=self._patience, clock=Clock(), every=0.5)
        finally:
            tell_waiting("")
        if found is None:
            holders = self._holders(fitting)
            raise LabFault(f"every place that fits is taken: {holders}", hint="wait, or `labgrid-client release` one")
        return found

    def _holders(self, fitting: Mapping[str, Any]) -> str:
        places = self._coordinator.places()
        taken = {name: places[name].acquired for name in sorted(fitting) if places[name].acquired}
        return ", ".join(f"{name} by {holder}" for name, holder in taken.items()) or "reserved by others"

    def take(self, name: str) -> AnyBoard:
        """The board in the place called `name`, whatever its tags say. Raises Misuse, LabFault when it is taken."""
        if name not in self._held:
            self._coordinator.acquire(name)
            self._take(name).power_on()
        return self._held[name][0]

    def health(self) -> list[Health]:
        """The health of every place with a board."""
        return all_health(self._coordinator)

    def power_what_is_off(self, kind: str) -> tuple[list[str], list[RigError]]:
        """Power every board of `kind` that stands without power; those that others hold are theirs.

        Returns which were powered, and the faults of places that did not answer.
        """
        revived: list[str] = []
        faults: list[RigError] = []
        for name, place in self._coordinator.places().items():
            if place.tags.get("board") != kind or name in self._held or place.acquired:
                continue
            try:
                if self._acquire(name):
                    self._power_if_off(name, revived)
            except RigError as error:
                error.board = error.board or name
                faults.append(error)
        return revived, faults

    def _power_if_off(self, name: str, revived: list[str]) -> None:
        board = self._take(name)
        try:
            if not board.relay.get():
                board.power_on()
                revived.append(name)
        finally:
            _, target = self._held.pop(name)
            target.cleanup()
            self._coordinator.tag(name, **{HOLDER_TAG: ""})
            self._coordinator.release(name)

    def tell(self, name: str, **tags: str) -> None:
        """Set tags of a place that we hold."""
        self._coordinator.tag(name, **tags)

    def acquit(self, name: str) -> None:
        """Put a board that we hold back into circulation."""
        acquit(self._coordinator, name)

    def quarantine(self, name: str, reason: str) -> None:
        """Take a board that we hold out of circulation and give its place back; it stays as it is."""
        _, target = self._held.pop(name)
        quarantine(self._coordinator, name, reason)
        target.cleanup()
        self._coordinator.tag(name, **{HOLDER_TAG: ""})
        self._coordinator.release(name)

    def _take_free(self, fitting: Mapping[str, Any], count: int) -> list[AnyBoard] | None:
        """`count` boards, the quickest of those that are ours or free now, common ones before rare ones; or none."""
        places = self._coordinator.places()
        pace = {name: number_of(place.tags, "timing_scale", "1") or 1.0 for name, place in fitting.items()}

        def preference(name: str) -> tuple[float, bool, str, str]:
            return pace[name], name not in self._held, rare(fitting[name].tags), name

        chosen: list[str] = []
        fresh: list[str] = []
        for name in sorted(fitting, key=preference):
            if is_quarantined(places[name].tags):
                continue
            if name not in self._held:
                if places[name].acquired or not self._acquire(name):
                    continue
                fresh.append(name)
            chosen.append(name)
            if len(chosen) == count:
                for taken in fresh:
                    self._take(taken).power_on()
                return [self._held[taken][0] for taken in chosen]
        for taken in fresh:
            self._coordinator.release(taken)
        return None

    def _acquire(self, name: str) -> bool:
        """Acquire a place that looked free; False when somebody was faster."""
        try:
            self._coordinator.acquire(name)
        except LabFault:
            place = self._coordinator.places()[name]
            if place.acquired or place.reservation:
                return False
            raise
        return True

    def _take(self, name: str) -> AnyBoard:
        """Build the board of a place that is ours now."""
        self._coordinator.tag(name, **{HOLDER_TAG: this_process()})
        try:
            kind = self._coordinator.places()[name].tags.get("board", "spark-core")
            board, target = build_board(self._environment, name, kind)
        except BaseException:
            self._coordinator.tag(name, **{HOLDER_TAG: ""})
            self._coordinator.release(name)
            raise
        self._held[name] = (board, target)
        return board

    def _give_back(self, name: str) -> None:
        """Start the board anew, and release its place; one that cannot be powered keeps its tag, for the next run."""
        board, target = self._held.pop(name)
        try:
            board.relay.off()
            board.relay.on()
            target.cleanup()
            self._coordinator.tag(name, **{HOLDER_TAG: ""})
        finally:
            self._coordinator.release(name)

    def _reap(self) -> None:
        """Give back what a run of this host left acquired when it was killed, powered.

        One process at a time: two would take away what each other has just acquired.
        """
        with one_at_a_time(self._address):
            cancel_abandoned(self._coordinator)
            for name, place in self._coordinator.places().items():
                holder = place.tags.get(HOLDER_TAG, "")
                if not is_abandoned(holder):
                    continue
                if place.acquired == self._coordinator.identity and unchanged_since_taken(place):
                    self._coordinator.release(name)
                elif place.acquired:
                    continue
                try:
                    if self._acquire(name):
                        self._take(name)
                        self._give_back(name)
                        self.reaped.append(name)
                except RigError as error:
                    self._leave_for_the_next(name, holder, error)

    def _leave_for_the_next(self, name: str, holder: str, error: RigError) -> None:
        """A board that cannot be brought back now keeps its tag, and is named."""
        print(f"rig: {name} was left by a killed run and cannot be brought back: {error}", file=sys.__stderr__)
        self._coordinator.tag(name, **{HOLDER_TAG: holder})


def free_places(coordinator: str) -> int:
    """How many places with a board nobody holds now. Raises LabFault without a coordinator."""
    with Coordinator(coordinator) as session:
        return sum("board" in place.tags and not place.acquired for place in session.places().values())


def places_with(coordinator: str, kind: str) -> list[str]:
    """Names of all places with a board of `kind`. Raises LabFault without a coordinator."""
    with Coordinator(coordinator) as session:
        return sorted(name for name, place in session.places().items() if place.tags.get("board") == kind)


def _spoken(kind: str, tags: Mapping[str, str]) -> str:
    return " ".join(f"{key}={value}" for key, value in {"board": kind, **tags}.items())
