"""Faults that a server of any kind is told to have: which are still to happen, and how often."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from typing import Any, ClassVar, Generic, Protocol, TypeVar

from rig.limits import refuse_more


class PlannedFault(Protocol):
    """What is to go wrong `times` times; 0 is until it is cleared."""

    __dataclass_fields__: ClassVar[dict[str, Any]]
    times: int

    def check(self) -> None:
        """Complete it. Raises Misuse for a fault that cannot be."""


F = TypeVar("F", bound=PlannedFault)


class FaultList(Generic[F]):
    """Faults that are still to happen, in the order they were told."""

    def __init__(self) -> None:
        self._waiting: list[F] = []

    def add(self, fault: F) -> None:
        """Let a fault happen when its time comes. Raises Misuse."""
        fault.check()
        refuse_more(self._waiting, "faults")
        self._waiting.append(fault)

    def pending(self) -> list[dict[str, Any]]:
        """What is still to happen."""
        return [asdict(fault) for fault in self._waiting]

    def _drop(self, is_meant: Callable[[F], bool]) -> None:
        self._waiting = [fault for fault in self._waiting if not is_meant(fault)]

    def _count(self, fault: F) -> F:
        """One that happens now has one time less to go."""
        if fault.times == 1:
            self._waiting.remove(fault)
        elif fault.times:
            fault.times -= 1
        return fault
