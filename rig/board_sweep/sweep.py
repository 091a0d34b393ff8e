"""A whole sweep of boards: a process for each place, the next cut for whoever asks, and the tally of what came back."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any

from rig.board_sweep import worker
from rig.board_sweep.ends import Ends
from rig.board_sweep.stratum import Stratum
from rig.board_sweep.tally import SWEPT, Tally, next_stratum
from rig.board_sweep.task import Order, Said, Task
from rig.errors import LabFault
from rig.gate.policy import Policy

#: How long nothing may be heard until the time is looked at again.
_LOOK_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Fault:
    """What ended the work at a place before the sweep was over."""

    place: str
    text: str
    status: int


@dataclass(slots=True)
class _Worker:
    """The process of a place, its strata once it has told them, and the cut that is under way."""

    place: str
    process: BaseProcess
    strata: tuple[Stratum, ...] = ()
    under_way: Stratum | None = None
    has_ended: bool = False


@dataclass(slots=True)
class BoardSweep:
    """`tally` may hold what was known before; `run` yields after each line of a ledger that is new."""

    tasks: list[Task]
    policy: Policy
    ends: Ends
    tally: Tally
    faults: list[Fault] = field(default_factory=list)
    strata: list[Stratum] = field(default_factory=list)
    _workers: dict[Connection, _Worker] = field(default_factory=dict)
    _asked: int = 0
    _number: int = 0

    def run(self) -> Iterator[dict[str, Any]]:
        """Sweep to the end. Whoever stops asking, or is interrupted, waits until all boards were given back."""
        context = multiprocessing.get_context("spawn")
        self._number = self.tally.next_number
        try:
            for task in self.tasks:
                ours, theirs = context.Pipe()
                process = context.Process(target=worker.run, args=(task, os.getpid(), theirs), name=task.place)
                process.start()
                theirs.close()
                self._workers[ours] = _Worker(task.place, process)
            while self._workers:
                for told in wait(list(self._workers), _LOOK_SECONDS):
                    assert isinstance(told, Connection)
                    yield from self._hear(told)
        finally:
            self._end()

    def _hear(self, told: Connection) -> Iterator[dict[str, Any]]:
        """Take one thing that a place's process says."""
        its = self._workers[told]
        try:
            said: Said = told.recv()
            if said.what == "next":
                self._answer(told, its)
        except (EOFError, OSError):  # it may be killed while it is answered
            self._gone(told)
            return
        if said.what == "line":
            if said.line["kind"] == SWEPT:
                its.under_way = None
            self.tally.add(said.line)
            yield dict(said.line)
        elif said.what == "ready":
            its.strata = said.strata
            self.strata += [stratum for stratum in said.strata if stratum not in self.strata]
        elif said.what == "fault":
            its.has_ended = True
            self.faults.append(Fault(its.place, said.text, said.status))

    def _answer(self, told: Connection, its: _Worker) -> None:
        """Ask for the next cut, or for none any more."""
        under_way = [one.under_way for one in self._workers.values() if one.under_way is not None]
        over = self.ends.is_over(self._asked)
        if over or self.ends.needs_none_of(its.strata, self.tally, self.policy, under_way):
            its.has_ended = True
            told.send(None)
            return
        its.under_way = next_stratum(self.tally, self.policy, its.strata, under_way)
        told.send(Order(self._number, its.under_way))
        self._number, self._asked = self._number + 1, self._asked + 1

    def _gone(self, told: Connection) -> None:
        """A process is at its end; one that nobody told to has left its board as it stands."""
        its = self._workers.pop(told)
        told.close()
        its.process.join()
        if not its.has_ended or its.process.exitcode:
            known = any(fault.place == its.place for fault in self.faults)
            text = f"{its.place}: its process ended with status {its.process.exitcode}"
            self.faults += [] if known else [Fault(its.place, text, LabFault.exit_status)]

    def _end(self) -> None:
        """End all processes that are left, each once it gave its board back."""
        for its in self._workers.values():
            its.process.terminate()
        for its in self._workers.values():
            its.process.join()
        self._workers.clear()
