"""Running a program in time: how long a step takes, what of it is done at any moment, and what a cut leaves of it."""

from __future__ import annotations

import math
import random
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from rig.errors import LabFault
from rig.twin.flash import PowerLost
from rig.twin.memory import Memory
from rig.twin.steps import Delay, Idle, Listen, Program, Step, Timer, Work
from rig.twin.tears import tear_at

R = TypeVar("R")


class Stepper:
    """The program of a board and the step it is at; a `job` is a program that interrupts it and comes back.

    `time_scale` stretches flash work and delays; 0 leaves them out. `timer_scale` stretches what is a timer.
    A program that breaks runs no more; `on_broken` is told, and raises it unless somebody sets another.
    """

    def __init__(self, memory: Memory, *, time_scale: float, seed: int):
        self.timer_scale = time_scale or 1.0
        self.step: Step = Idle()
        self.ends = math.inf
        self.on_broken: Callable[[LabFault], None] = _raise
        self._memory = memory
        self._work_scale = time_scale
        self._rng = random.Random(seed)
        self._program: Program | None = None
        self._job: Program | None = None
        self._started = 0.0
        self._performed = 0

    @property
    def on_a_job(self) -> bool:
        """Whether a job keeps the program waiting."""
        return self._job is not None

    @property
    def at_work(self) -> bool:
        """Whether flash work is under way."""
        return isinstance(self.step, Work)

    @property
    def operations(self) -> int:
        """Flash operations carried out since power-on."""
        if isinstance(self.step, Work):
            return self.step.run.first + self._performed
        return self._memory.journal.next

    def run(self, program: Program, now: float) -> None:
        """Begin a program; whatever ran before is gone."""
        self._program, self._job = program, None
        self.go_on(now)

    def interpose(self, job: Program, now: float) -> None:
        """Begin a job; the program is idle when it is over."""
        self._job = job
        self.go_on(now)

    def stop(self, now: float) -> None:
        """Nothing runs any more."""
        self._program = self._job = None
        self._begin(Idle(), now)

    def go_on(self, now: float, answer: bool | None = None) -> None:
        """Take the next step with work in it, answering the last one."""
        program = self._job or self._program
        try:
            while program is not None:
                step = next(program) if answer is None else program.send(answer)
                answer = None
                if isinstance(step, Work) and step.run.count:
                    step = Work(self._memory.enter(step.run))
                if not isinstance(step, Work) or step.run.count:
                    self._begin(step, now)
                    return
        except StopIteration:
            self._job = None
        except PowerLost:
            raise
        except Exception as error:  # a bug of the twin's, or an input that found one: it must be told
            self.stop(now)
            self.on_broken(_broken(program, error))
            return
        self._begin(Idle(), now)

    def stimulate(self, now: float) -> None:
        """Something came from outside: a program that listens for that goes on."""
        if isinstance(self.step, Listen):
            self.go_on(now)

    def ask(self, answer: Callable[..., R], *what: object) -> R | None:
        """What a function that belongs to the program answers at once; None where it breaks."""
        try:
            return answer(*what)
        except Exception as error:
            self.on_broken(_broken(answer, error))
            return None

    def catch_up(self, now: float) -> None:
        """Carry out what the flash work under way has done by `now`, so that a look at the memories is true."""
        if isinstance(self.step, Work):
            self._perform(int(self._share(now) * self.step.run.count))

    def finish(self) -> None:
        """Carry out the rest of the flash work under way. Raises PowerLost when the journal's fuse is in it."""
        if isinstance(self.step, Work):
            self._perform(self.step.run.count)

    def interrupt(self, now: float, *, tearing: bool) -> None:
        """End the flash work under way at `now`; the operation in flight is torn, or finishes where power stays."""
        if not isinstance(self.step, Work):
            return
        self.catch_up(now)
        run = self.step.run
        if self._performed >= run.count:
            return
        k = run.first + self._performed
        if tearing:
            share = self._share(now) * run.count % 1
            self._memory.nor(run).tear(run.operation(k), tear_at(self._rng, share))
        else:
            self._perform(self._performed + 1)
            k += 1
        self._memory.journal.truncate(k)

    def _begin(self, step: Step, now: float) -> None:
        self.step, self._started, self._performed = step, now, 0
        match step:
            case Work(run):
                seconds = self._memory.seconds[run.kind] * run.count * self._work_scale
            case Delay(delay):
                seconds = delay * self._work_scale
            case Timer(wait):
                seconds = wait * self.timer_scale
            case Listen(wait):
                seconds = wait
            case Idle():
                seconds = math.inf
            case _:
                seconds = 0.0
        self.ends = now + seconds

    def _share(self, now: float) -> float:
        seconds = self.ends - self._started
        return min((now - self._started) / seconds, 1.0) if seconds else 1.0

    def _perform(self, until: int) -> None:
        if isinstance(self.step, Work) and until > self._performed:
            begin, self._performed = self._performed, until
            self._memory.perform(self.step.run, begin, until)


def _raise(error: LabFault) -> None:
    raise error


def _broken(program: object, error: Exception) -> LabFault:
    """Which program of a twin broke, and where."""
    name = getattr(program, "__qualname__", repr(program))
    at = traceback.extract_tb(error.__traceback__)[-1]
    text = " ".join(f"{type(error).__name__}: {error}".split())
    fault = LabFault(f"the twin's program {name} broke in {at.name} ({Path(at.filename).name}:{at.lineno}): {text}")
    fault.__cause__ = error
    return fault
