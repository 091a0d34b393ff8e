"""Bringing boards back: places that a dead process left acquired, and boards that stand without power or held down.

One process at a time: two would take away from one another what each has just acquired.
"""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass, field
from typing import Any

from rig.boards.board import restart
from rig.errors import RigError, Unreachable
from rig.family.contract import is_ours
from rig.lab.coordinator import Coordinator
from rig.lab.held_places import ACQUIRING, HeldPlaces, saying_how
from rig.lab.holder import Holder, Life, holder_of
from rig.lab.notes import Notes, one_at_a_time
from rig.lab.notifier import Notifier
from rig.lab.reservation import cancel_abandoned


@dataclass(slots=True)
class BroughtBack:
    """What came of it, by the names of places; `faults` are of those that were not brought back.

    `unreachable` are faults of free places: whether their boards stand still nobody can see.
    """

    given_back: list[str] = field(default_factory=list)
    powered: list[str] = field(default_factory=list)
    faults: list[RigError] = field(default_factory=list)
    unreachable: list[RigError] = field(default_factory=list)
    #: Places that a process of another host holds, and what can be done if that is dead.
    unjudged: list[str] = field(default_factory=list)
    #: How many places in the queue dead processes had.
    cancelled: int = 0

    def __str__(self) -> str:
        given_back, powered = ", ".join(self.given_back) or "none", ", ".join(self.powered) or "none"
        queue = f"; reservations cancelled: {self.cancelled}" if self.cancelled else ""
        return f"given back: {given_back}; powered: {powered}{queue}"


def report(done: BroughtBack, notifier: Notifier) -> None:
    """Say what was brought back, what was not, and what nobody can judge."""
    for place in (*done.given_back, *done.powered):
        notifier.once(f"{place} brought back", f"brought back: {place}")
    for fault in done.unreachable:
        notifier.once(str(fault.board), f"passed over: {fault}")
    for fault in done.faults:
        notifier.once(str(fault), f"not brought back: {fault}")
    for text in done.unjudged:
        notifier.once(text, text)


def bring_back(hold: HeldPlaces) -> BroughtBack:
    """Give back what dead processes hold, and start the boards of free places that stand still."""
    coordinator, done = hold.coordinator, BroughtBack()
    stuck: set[str] = set()
    with one_at_a_time(coordinator.address):
        done.cancelled = cancel_abandoned(coordinator)
        half_acquired = Notes(ACQUIRING, coordinator.address).of_dead_processes()
        for name, place in sorted(coordinator.places().items()):
            if not is_ours(place.tags) or name in hold:
                continue
            holder = holder_of(place.allowed)
            if holder is not None and holder.life is Life.ELSEWHERE:
                done.unjudged.append(_unjudged(coordinator, name, holder))
            left = _is_left(place, holder, half_acquired if place.acquired == coordinator.identity else ())
            if left or not place.acquired:
                try:
                    _bring_one_back(hold, place, stuck, done, left=left)
                    if name in half_acquired:
                        half_acquired[name].unlink(missing_ok=True)
                except RigError as error:
                    lost = done.unreachable if isinstance(error, Unreachable) and not left else done.faults
                    lost.append(saying_how(error, coordinator, name))
    return done


def _is_left(place: Any, holder: Holder | None, half_acquired: Container[str]) -> bool:
    """Whether a dead process has it: by its mark, or because it died before it could set one."""
    if holder is None:
        return bool(place.acquired) and place.name in half_acquired
    return holder.life is Life.DEAD


def _bring_one_back(hold: HeldPlaces, place: Any, stuck: set[str], done: BroughtBack, *, left: bool) -> None:
    """`stuck` are exporters that handed nothing out: each is waited for once."""
    name, exporters = place.name, hold.coordinator.exporters_of(place.name)
    if stuck & exporters:
        raise Unreachable("its exporter does not hand its resources out", hint="is it alive?")
    try:
        if left:
            hold.coordinator.release(name, place.acquired)
        if not hold.acquire_if_free(name):
            if left:  # somebody was waiting for it
                done.given_back.append(name)
            return
    except Unreachable:
        stuck |= exporters
        raise
    board = hold.build(name)
    try:
        stood_still = left or not board.relay.get() or board.buttons.left_pressed()
        if stood_still:
            restart(board)
    finally:
        hold.leave(name)
    if stood_still:
        (done.given_back if left else done.powered).append(name)


def _unjudged(coordinator: Coordinator, name: str, holder: Holder) -> str:
    way = coordinator.client(name, "release -k")
    return f"{name} is held by {holder}, of which nothing is known here; if it is dead: {way}"
