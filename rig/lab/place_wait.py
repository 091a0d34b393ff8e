"""Waiting for places that others hold: how long that is worth it, what is told meanwhile, and why it was in vain."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from rig.boards.board import Board
from rig.clock import Clock, poll
from rig.errors import LabFault, Unreachable
from rig.lab.held_places import HeldPlaces
from rig.lab.holder import holder_of, is_abandoned
from rig.lab.notifier import Notifier
from rig.lab.reaping import bring_back, report

#: How long to wait for a place that somebody else has, and for one whose exporter or relay does not answer.
USUAL_WAIT_SECONDS, RETURN_SECONDS = 60.0, 12.0


class PlaceWait:
    """That of a process which has what is in `hold`: `seconds` for boards that others hold, a minute for None."""

    def __init__(self, hold: HeldPlaces, seconds: float | None, notifier: Notifier):
        self._hold, self._notifier = hold, notifier
        self._coordinator = hold.coordinator
        self._seconds = USUAL_WAIT_SECONDS if seconds is None else seconds
        self._passed_over: dict[str, Unreachable] = {}

    def pass_over(self, name: str, error: Unreachable) -> None:
        """Note why a place that fits could not be taken when it was last looked at, and tell it once."""
        self._passed_over[name] = error
        self._notifier.once(name, f"passed over: {error}")

    def reached(self, name: str) -> None:
        """A place was taken: whatever it was passed over for is no more."""
        self._passed_over.pop(name, None)

    def wait(self, fitting: Mapping[str, Any], look: Callable[[], list[Board] | None]) -> list[Board]:
        """Look until there is something, showing who holds what meanwhile; `fitting` are the places that would do.

        What workers of the same run have is waited for without an end. Raises LabFault.
        """
        shown = ""

        def look_and_show() -> list[Board] | None:
            nonlocal shown
            self._bring_back_from_the_dead(fitting)
            found = look()
            if found is None and (holders := self._holders(fitting)) != shown:
                shown = holders
                self._notifier.waiting(holders)
            return found

        waits = self._seconds if self._taken(fitting) else min(self._seconds, RETURN_SECONDS)
        try:
            found = poll(look_and_show, seconds=waits, clock=Clock(), every=0.5)
            while found is None and self._ours_will_be_free(fitting):
                found = poll(look_and_show, seconds=waits, clock=Clock(), every=0.5)
        finally:
            self._notifier.waiting("")
        if found is None:
            raise self._none(fitting)
        return found

    def of_our_run(self, fitting: Mapping[str, Any]) -> list[str]:
        """Those places that other workers of this run have."""
        places = self._coordinator.places()
        holders = {name: holder_of(places[name].allowed) for name in sorted(fitting) if places[name].acquired}
        return [name for name, holder in holders.items() if holder is not None and holder.works_for(self._hold.run)]

    def _bring_back_from_the_dead(self, fitting: Mapping[str, Any]) -> None:
        """Bring back what a process has that died since the run began: a worker of it, say."""
        places = self._coordinator.places()
        if any(is_abandoned(places[name].allowed) for name in fitting if name in places):
            report(bring_back(self._hold), self._notifier)

    def _ours_will_be_free(self, fitting: Mapping[str, Any]) -> bool:
        """Whether another worker of this run has one of these places: it will give it back, however long it takes.

        Nobody counts on that who holds a board meanwhile: two who wait for each other would do so for ever.
        """
        return not self._hold.names and bool(self.of_our_run(fitting))

    def _none(self, fitting: Mapping[str, Any]) -> LabFault:
        """Why there is no board, and what gets one."""
        if taken := self._taken(fitting):
            way = self._coordinator.client(next(iter(taken)), "release -k")
            return LabFault(f"every place that fits is taken: {self._holders(fitting)}", hint=f"wait, or {way}")
        if self._passed_over:
            reasons = "; ".join(str(error) for _, error in sorted(self._passed_over.items()))
            return Unreachable(f"no place that fits can be reached: {reasons}")
        tokens = [place.reservation for place in self._coordinator.places().values() if place.name in fitting]
        token = next(filter(None, tokens), "TOKEN")
        way = f"`labgrid-client -x {self._coordinator.address} cancel-reservation {token}`"
        return LabFault("every place that fits is reserved by others", hint=f"wait, or {way}")

    def _holders(self, fitting: Mapping[str, Any]) -> str:
        holders = [f"{name} by {holder}" for name, holder in self._taken(fitting).items()]
        holders += [f"{name} cannot be reached" for name in sorted(self._passed_over)]
        return ", ".join(holders) or "reserved by others"

    def _taken(self, fitting: Mapping[str, Any]) -> dict[str, str]:
        """Who has which of these places."""
        places = self._coordinator.places()
        return {name: places[name].acquired for name in sorted(fitting) if places[name].acquired}
