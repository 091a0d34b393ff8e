"""Boards for a test run: found by tags at a coordinator, acquired, handed out, and given back powered."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from rig.boards.board import restart
from rig.boards.timing import number_of
from rig.clock import Clock, look_for
from rig.errors import LabFault, Misuse, RigError, Unreachable
from rig.lab.coordinator import Coordinator
from rig.lab.health import HEALTH, OK, QUARANTINE, Health, acquit, all_health, is_quarantined, quarantine
from rig.lab.hold import Hold
from rig.lab.holder import holder_of, is_abandoned
from rig.lab.kinds import AnyBoard
from rig.lab.reaping import BroughtBack, bring_back
from rig.lab.reservation import Reservation
from rig.lab.scheduling import rare
from rig.lab.targets import forget_session, share_session
from rig.lab.waiting import tell_once, tell_waiting

#: How long to wait for a place that somebody else has, and for one whose exporter or relay does not answer.
PATIENCE_SECONDS, RETURN_SECONDS = 60.0, 12.0


class NotHere(Misuse):
    """No place at this coordinator can do what was asked for."""


class Boards:
    """What one test worker has acquired. Use as a context manager; leaving it gives everything back, powered."""

    def __init__(self, coordinator: str, environment: Path, *, patience: float = PATIENCE_SECONDS, reaps: bool = True):
        """`reaps`: whether boards that dead processes left, or that stand still, are brought back at the beginning."""
        self._patience, self._reaps = patience, reaps
        self._address = coordinator
        self._coordinator = Coordinator(coordinator)
        self._hold = Hold(self._coordinator, environment)
        #: Why places that fit were not taken when they were last looked at.
        self._passed_over: dict[str, Unreachable] = {}
        #: What was brought back when this began.
        self.brought_back = BroughtBack()

    def __enter__(self) -> Boards:
        os.environ["LG_COORDINATOR"] = self._address
        self._coordinator.__enter__()
        share_session(self._coordinator)
        try:
            if self._reaps:
                self.brought_back = bring_back(self._hold)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *exc: Any) -> None:
        try:
            self.give_back()
        finally:
            self._coordinator.__exit__(*(exc or (None, None, None)))
            forget_session()

    def give_back(self) -> None:
        """Give back everything that is held, powered. Raises the first fault when all have been tried."""
        failed: list[RigError] = []
        for name in self._hold.names:
            try:
                self._hold.give_back(name)
            except RigError as error:
                failed.append(error)
        if failed:
            raise failed[0]

    def get(self, kind: str, tags: Mapping[str, str]) -> AnyBoard:
        """A board of `kind` whose place has all `tags`: the quickest that we hold or that is free.

        Waits in the coordinator's queue when all are taken. Raises NotHere when no place has these tags, LabFault
        when all that have them stay taken by others; what workers of the same run have is waited for without an end.
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
            way = f"rig lab health {' '.join(fitting)} --control-cut --coordinator {self._address}"
            raise LabFault(f"every place that fits is in quarantine: {told}", hint=f"`{way}` clears what is well")
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

        waits = self._patience if self._taken(fitting) else min(self._patience, RETURN_SECONDS)
        try:
            found = look_for(look_and_show, seconds=waits, clock=Clock(), every=0.5)
            while found is None and self._ours_will_be_free(fitting):
                found = look_for(look_and_show, seconds=waits, clock=Clock(), every=0.5)
        finally:
            tell_waiting("")
        if found is None:
            raise self._none(fitting)
        return found

    def _ours_will_be_free(self, fitting: Mapping[str, Any]) -> bool:
        """Whether another worker of this run has one of these places: it will give it back, however long it takes."""
        places = self._coordinator.places()
        holders = (holder_of(places[name].allowed) for name in fitting if places[name].acquired)
        return any(holder is not None and holder.is_of_this_run for holder in holders)

    def _none(self, fitting: Mapping[str, Any]) -> LabFault:
        """Why there is no board, and what gets one."""
        if taken := self._taken(fitting):
            way = self._coordinator.client(next(iter(taken)), "release -k")
            return LabFault(f"every place that fits is taken: {self._holders(fitting)}", hint=f"wait, or {way}")
        if self._passed_over:
            told = "; ".join(str(error) for _, error in sorted(self._passed_over.items()))
            return Unreachable(f"no place that fits can be reached: {told}")
        tokens = [place.reservation for place in self._coordinator.places().values() if place.name in fitting]
        way = f"`labgrid-client -x {self._address} cancel-reservation {next(filter(None, tokens), 'TOKEN')}`"
        return LabFault("every place that fits is reserved by others", hint=f"wait, or {way}")

    def _holders(self, fitting: Mapping[str, Any]) -> str:
        told = [f"{name} by {holder}" for name, holder in self._taken(fitting).items()]
        told += [f"{name} cannot be reached" for name in sorted(self._passed_over)]
        return ", ".join(told) or "reserved by others"

    def _taken(self, fitting: Mapping[str, Any]) -> dict[str, str]:
        """Who has which of these places."""
        places = self._coordinator.places()
        return {name: places[name].acquired for name in sorted(fitting) if places[name].acquired}

    def take(self, name: str) -> AnyBoard:
        """The board in the place called `name`, whatever its tags say. Raises Misuse, LabFault when it is taken."""
        if name not in self._hold:
            self._hold.acquire(name)
            self._begin(name)
        return self._hold[name]

    def health(self) -> list[Health]:
        """The health of every place with a board."""
        return all_health(self._coordinator)

    def tell(self, name: str, **tags: str) -> None:
        """Set tags of a place that we hold."""
        self._coordinator.tag(name, **tags)

    def acquit(self, name: str) -> None:
        """Put a board that we hold back into circulation."""
        acquit(self._coordinator, name)

    def quarantine(self, name: str, reason: str) -> None:
        """Take a board that we hold out of circulation and give its place back; but for its buttons it stays as it is.

        Raises LabFault that names what does by hand what could not be done.
        """
        try:
            quarantine(self._coordinator, name, reason)
        except LabFault as error:
            error.hint = f"by hand: {self._coordinator.client(name, f'set-tags {HEALTH}={QUARANTINE}')}"
            raise
        finally:
            self._hold.leave(name)

    def _take_free(self, fitting: Mapping[str, Any], count: int) -> list[AnyBoard] | None:
        """`count` boards, the quickest of those that are ours or free now, common ones before rare ones; or none."""
        places = self._coordinator.places()
        pace = {name: number_of(place.tags, "timing_scale", "1") or 1.0 for name, place in fitting.items()}

        def preference(name: str) -> tuple[float, bool, str, str]:
            return pace[name], name not in self._hold, rare(fitting[name].tags), name

        chosen: list[str] = []
        fresh: list[str] = []
        for name in sorted(fitting, key=preference):
            if is_quarantined(places[name].tags):
                continue
            if name not in self._hold:
                if places[name].acquired or not self._take_if_free(name):
                    continue
                fresh.append(name)
            chosen.append(name)
            if len(chosen) == count:
                return [self._hold[taken] for taken in chosen]
        for taken in fresh:
            self._hold.give_back(taken)
        return None

    def _take_if_free(self, name: str) -> bool:
        """Take a place that looked free; one whose exporter is gone is passed over, and named once."""
        try:
            if not self._hold.acquire_if_free(name):
                return False
            self._begin(name)
        except Unreachable as error:
            error.board = error.board or name
            self._passed_over[name] = error
            tell_once(name, f"passed over: {error}")
            return False
        self._passed_over.pop(name, None)
        return True

    def _begin(self, name: str) -> None:
        """Build the board of a place that is ours now, and start it anew: whoever had it may have left it anyhow.

        Raises Unreachable; whether a board is well is for those to judge who bring it to its known state.
        """
        board = self._hold.build(name)
        try:
            restart(board)
        except Unreachable:
            self._hold.leave(name)
            raise
        except LabFault:
            return


def begin(coordinator: str, environment: Path) -> list[RigError]:
    """Bring boards back before a run, telling which; returns the faults of those that could not be.

    Raises LabFault without a coordinator.
    """
    with Boards(coordinator, environment) as boards:
        done = boards.brought_back
    for place in (*done.given_back, *done.powered):
        tell_once(f"{place} brought back", f"brought back: {place}")
    for fault in done.unreachable:
        tell_once(str(fault.board), f"passed over: {fault}")
    return done.faults


def free_places(coordinator: str) -> int:
    """How many places with a board somebody offers and nobody alive holds. Raises LabFault without a coordinator."""
    with Coordinator(coordinator) as session:
        places = {name: place for name, place in session.places().items() if "board" in place.tags}
        free = [name for name, place in places.items() if not place.acquired or is_abandoned(place.allowed)]
        return sum(session.lacks(name) is None for name in free)


def tags_of_places(coordinator: str) -> list[dict[str, str]]:
    """What every place's board can do. Raises LabFault without a coordinator."""
    with Coordinator(coordinator) as session:
        return [dict(place.tags) for place in session.places().values()]


def places_with(coordinator: str, kind: str) -> list[str]:
    """Names of all places with a board of `kind`. Raises LabFault without a coordinator."""
    with Coordinator(coordinator) as session:
        return sorted(name for name, place in session.places().items() if place.tags.get("board") == kind)


def _spoken(kind: str, tags: Mapping[str, str]) -> str:
    return " ".join(f"{key}={value}" for key, value in {"board": kind, **tags}.items())
