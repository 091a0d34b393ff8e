"""Boards for a test run: found by tags at a coordinator, acquired, handed out, and given back powered."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rig.boards.board import Board, restart
from rig.errors import LabFault, Misdescribed, Misuse, RigError, Unreachable
from rig.family.contract import is_ours
from rig.lab.coordinator import Coordinator
from rig.lab.cut_paths import Seen, cut_paths
from rig.lab.health import HEALTH, OK, QUARANTINE, Health, all_health, clear_quarantine, is_quarantined, quarantine
from rig.lab.held_places import HeldPlaces
from rig.lab.holder import is_abandoned
from rig.lab.notifier import Notifier, StderrNotifier
from rig.lab.place_tags import check_lacking, check_tags, pace_of
from rig.lab.place_wait import PlaceWait
from rig.lab.reaping import BroughtBack, bring_back, report
from rig.lab.reservation import Reservation
from rig.lab.targets import forget_session, share_session
from rig.lab.wanted import missing_tags, rare


class NotHere(Misuse):
    """No place at this coordinator can do what was asked for; the most fitting one lacks the tags `missing`."""

    def __init__(self, message: str, *, hint: str | None = None, missing: tuple[str, ...] = ()):
        super().__init__(message, hint=hint)
        self.missing = missing


class Boards:
    """What one test worker has acquired. Use as a context manager; leaving it gives everything back, powered."""

    def __init__(
        self,
        coordinator: str,
        environment: Path,
        *,
        wait_seconds: float | None = None,
        reaps: bool = True,
        only: str | None = None,
        run: str = "",
        notifier: Notifier | None = None,
    ):
        """`reaps`: whether boards that dead processes left, or that stand still, are brought back at the beginning.

        `wait_seconds`: how long to wait for boards that others hold, a minute for None. `only`: the one place meant.
        `run` is what this worker's run has and no other; people are told by `notifier`, else on the standard error.
        """
        self._reaps, self._only = reaps, only
        self._notifier = notifier or StderrNotifier()
        self._address = coordinator
        self._coordinator = Coordinator(coordinator)
        self._environment = environment
        self._hold = HeldPlaces(self._coordinator, environment, run)
        self._place_wait = PlaceWait(self._hold, wait_seconds, self._notifier)
        #: Places that say of themselves what is not so, as far as somebody has met them.
        self._misdescribed: dict[str, Misdescribed] = {}
        #: What was not brought back when this began, on boards that could be reached.
        self.lost: list[RigError] = []

    def __enter__(self) -> Boards:
        os.environ["LG_COORDINATOR"] = self._address
        self._coordinator.__enter__()
        share_session(self._coordinator)
        try:
            if self._reaps:
                done = self.bring_back()
                report(done, self._notifier)
                self.lost = done.faults
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

    def bring_back(self) -> BroughtBack:
        """Give back what dead processes hold, and start the boards of free places that stand still."""
        return bring_back(self._hold)

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

    def get(self, kind: str, tags: Mapping[str, str], *, but: str | None = None) -> Board:
        """A board of `kind` whose place has all `tags` and is not called `but`: the quickest that is ours or free.

        Waits in the coordinator's queue when all are taken. Raises NotHere when no place has these tags, LabFault
        when all that have them stay taken by others; what workers of the same run have is waited for without an end.
        Raises Misdescribed the first time it meets a place that is wrongly described; later it takes another.
        """
        fitting = self._fitting(kind, tags, but=but)
        found = self._take_free(fitting, 1)
        if found is None:
            all_say_ok = all(place.tags.get(HEALTH) == OK for place in fitting.values())
            wanted = {"board": kind, **tags, **({HEALTH: OK} if all_say_ok else {})}
            if but is not None:  # by tags alone the queue may give us the very one that is not meant
                wanted["name"] = next(iter(self._place_wait.of_our_run(fitting)), min(fitting))
            with Reservation(self._coordinator, wanted) as queued:
                found = self._place_wait.wait(
                    fitting, lambda: self._take_free(fitting, 1) if queued.allocated() else None
                )
        return found[0]

    def has_another(self, kind: str, tags: Mapping[str, str], *, but: str) -> bool:
        """Whether `get` has a healthy board for this, taken or not, that is not in the place called `but`."""
        try:
            return bool(self._fitting(kind, tags, but=but))
        except (NotHere, LabFault):
            return False

    def get_several(self, kind: str, tags: Mapping[str, str], count: int) -> list[Board]:
        """`count` boards of `kind`, all or none. Raises NotHere when there are fewer, LabFault when they stay taken."""
        fitting = self._fitting(kind, tags, count)
        if len(fitting) < count:
            raise NotHere(f"{len(fitting)} places have {_in_words(kind, tags)}, not {count}")
        return self._take_free(fitting, count) or self._place_wait.wait(
            fitting, lambda: self._take_free(fitting, count)
        )

    def _fitting(self, kind: str, tags: Mapping[str, str], count: int = 1, *, but: str | None = None) -> dict[str, Any]:
        """Places with these tags whose boards are healthy, those that were set aside left out if `count` remain.

        Raises Misuse where the only one that is meant is no place, Misdescribed where a malformed tag may hide one.
        """
        places = self._coordinator.places()
        if self._only is not None:
            known = f"places are {', '.join(sorted(places)) or 'none'}"
            if self._only not in places:
                raise Misuse(f"no place is called {self._only}", hint=known)
            places = {self._only: places[self._only]}
        wanted = {"board": kind, **tags}
        fitting = {name: place for name, place in places.items() if wanted.items() <= place.tags.items()}
        fitting.pop(but or "", None)
        if not fitting:
            check_lacking(kind, tags, {name: place.tags for name, place in places.items()})
            raise NotHere(
                f"no place has {_in_words(kind, tags)}",
                hint=f"places are {', '.join(sorted(places)) or 'none'}",
                missing=missing_tags(kind, tags, (place.tags for place in places.values())),
            )
        healthy = {name: place for name, place in fitting.items() if not is_quarantined(place.tags)}
        if not healthy:
            reasons = ", ".join(f"{name} ({place.tags.get('reason', 'unknown')})" for name, place in fitting.items())
            way = f"rig lab health {' '.join(fitting)} --control-cut --coordinator {self._address}"
            raise LabFault(f"every place that fits is in quarantine: {reasons}", hint=f"`{way}` clears what is well")
        described = {name: place for name, place in healthy.items() if name not in self._misdescribed}
        if len(described) < min(count, len(healthy)):
            raise self._misdescribed[min(healthy.keys() - described)]
        return described

    def exclude(self, name: str, fault: Misdescribed) -> None:
        """Hand this place out no more: somebody has met what is wrong with its description."""
        self._misdescribed[name] = fault

    def take(self, name: str) -> Board:
        """The board in the place called `name`, whatever its tags say. Raises Misuse, LabFault when it is taken."""
        if name not in self._hold:
            self._hold.acquire(name)
            self._begin(name)
        return self._hold[name]

    def health(self) -> list[Health]:
        """The health of every place with a board."""
        return all_health(self._coordinator)

    def cut_paths(self, names: Sequence[str]) -> dict[str, Seen]:
        """The way to the relay of each of these places, whoever holds them. Raises Misuse for a bad environment."""
        return cut_paths(self._coordinator, self._environment, names)

    def set_tags(self, name: str, **tags: str) -> None:
        """Set tags of a place that we hold."""
        self._coordinator.tag(name, **tags)

    def clear_quarantine(self, name: str) -> None:
        """Put a board that we hold back into circulation."""
        clear_quarantine(self._coordinator, name)

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

    def _take_free(self, fitting: Mapping[str, Any], count: int) -> list[Board] | None:
        """`count` boards, the quickest of those that are ours or free now, common ones before rare ones; or none."""
        places = self._coordinator.places()
        pace = {name: pace_of(place.tags) for name, place in fitting.items()}

        def preference(name: str) -> tuple[float, bool, str, str]:
            return pace[name], name not in self._hold, rare(fitting[name].tags["board"], fitting[name].tags), name

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
            self._place_wait.pass_over(name, error)
            return False
        self._place_wait.reached(name)
        return True

    def _begin(self, name: str) -> None:
        """Build the board of a place that is ours now, and start it anew: whoever had it may have left it anyhow.

        Raises Unreachable, Misdescribed; whether a board is well is for those to judge who bring it to its known state.
        """
        try:
            board = self._hold.build(name)
            check_tags(board)
            restart(board)
        except (Unreachable, Misdescribed) as error:
            if name in self._hold:
                self._hold.leave(name)
            if isinstance(error, Misdescribed):
                self.exclude(name, error)
            raise
        except LabFault:
            return


def recover_boards(coordinator: str, environment: Path, notifier: Notifier) -> list[RigError]:
    """Bring boards back before a run, telling which; returns the faults of those that could not be.

    Raises LabFault without a coordinator.
    """
    with Boards(coordinator, environment, notifier=notifier) as boards:
        return boards.lost


def free_places(coordinator: str) -> int:
    """How many places with a board of ours are offered, and nobody alive holds. Raises LabFault without coordinator."""
    with Coordinator(coordinator) as session:
        places = {name: place for name, place in session.places().items() if is_ours(place.tags)}
        free = [name for name, place in places.items() if not place.acquired or is_abandoned(place.allowed)]
        return sum(session.lacks(name) is None for name in free)


def tags_of_places(coordinator: str) -> dict[str, dict[str, str]]:
    """What every place's board can do, by its name. Raises LabFault without a coordinator."""
    with Coordinator(coordinator) as session:
        return {name: dict(place.tags) for name, place in session.places().items()}


def _in_words(kind: str, tags: Mapping[str, str]) -> str:
    return " ".join(f"{key}={value}" for key, value in {"board": kind, **tags}.items())
