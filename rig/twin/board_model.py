"""What any board's model is in time: its supply, the program that runs now, and what was seen of it.

Lines, ports and what the end of a step leads to are each kind's own.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from rig.errors import LabFault
from rig.twin.flash import PowerLost
from rig.twin.memory import Memory
from rig.twin.stepper import Stepper
from rig.twin.steps import Step

#: Of the past only so much is kept: a board that restarts all night must not fill the memory.
MOST_EVENTS = 10_000


@dataclass(slots=True)
class Event:
    """Something seen on the board at `at` seconds."""

    at: float
    name: str


class BoardModel(ABC):
    """A board without input and output; time is a number of seconds that whoever owns it passes in.

    A step under way when the supply fails is carried out as far as its time allows, and the operation in flight is
    torn. `time_scale` stretches flash work and start-up; 0 leaves them out.
    """

    def __init__(self, memory: Memory, *, time_scale: float, seed: int):
        self.memory = memory
        self.time = 0.0
        self.powered = False
        self.events: list[Event] = []
        #: What runs: an application's name or its partition's label; None while none does.
        self.running: str | None = None
        #: How many steps one look at the time may carry out; what is due then is late.
        self.most_steps: float = math.inf
        self._stepper = Stepper(memory, time_scale=time_scale, seed=seed)

    def power_on(self, now: float) -> None:
        """Supply rises: operations are counted from 0. A board that has its supply already does not notice."""
        self.advance(now)
        if not self.powered:
            self.powered = True
            self.memory.power_on()
            self.event("power-on")
            self._gain_power()

    def power_off(self, now: float) -> None:
        """Supply falls at `now`: the operation in flight is torn, everything volatile is gone."""
        self.advance(now)
        if self.powered:
            self._stepper.interrupt(now, tearing=True)
            self._lose_power()

    # -- time --------------------------------------------------------------------------------------------------------

    def due(self) -> float:
        """When the board next does something by itself; infinity when it does not."""
        return self._stepper.ends if self.powered else math.inf

    def advance(self, now: float) -> None:
        """Let everything happen that is due until `now`; a board with more to do than `most_steps` loses the time."""
        steps = 0
        while steps < self.most_steps and self.due() <= now and self.step():
            steps += 1
        if now < math.inf:
            self.time = max(self.time, now)

    def step(self) -> bool:
        """Let the next thing happen, whenever it is due; False when nothing ever is."""
        due = self.due()
        if due == math.inf:
            return False
        self.time = max(self.time, due)
        self._happen()
        return True

    def catch_up(self, now: float) -> None:
        """Let everything happen until `now`, flash work under way included, so that a look at the memories is true."""
        self.advance(now)
        self._stepper.catch_up(self.time)

    # -- what is seen of it ------------------------------------------------------------------------------------------

    @property
    def writing(self) -> bool:
        """Whether flash work is under way."""
        return self._stepper.at_work

    @property
    def operations(self) -> int:
        """How many flash operations were carried out since power-on."""
        return self._stepper.operations

    def event(self, name: str) -> None:
        """Note something worth seeing; the oldest are forgotten."""
        self.events.append(Event(self.time, name))
        forget_oldest(self.events)

    def when_broken(self, notify: Callable[[LabFault], None]) -> None:
        """Tell somebody of a program that breaks, instead of raising it from whatever made the program go on."""
        self._stepper.on_broken = notify

    # -- how it goes on ----------------------------------------------------------------------------------------------

    def _happen(self) -> None:
        """What is due happens: the step under way is over."""
        try:
            self._stepper.finish()
        except PowerLost:
            self._lose_power()
        else:
            self._go_on(self._stepper.step)

    def _go_on(self, _step: Step) -> None:
        """A step is over: the program goes on. What only a kind's own steps lead to, its model does."""
        self._stepper.go_on(self.time)

    def _hear(self, now: float, happened: Callable[[], object]) -> None:
        """Something comes from outside at `now`: whoever listens for it goes on."""
        self.advance(now)
        happened()
        self._stimulate()
        self.advance(now)

    def _stimulate(self) -> None:
        """Something came from outside: whoever listens for that goes on."""
        if self.powered:
            self._stepper.stimulate(self.time)

    @abstractmethod
    def _gain_power(self) -> None:
        """Registers are as new, and the board starts."""

    def _lose_power(self) -> None:
        """Everything volatile is gone."""
        self.powered = False
        self._stepper.stop(self.time)
        self.running = None
        self.event("power-off")


def forget_oldest(past: list[Any]) -> None:
    """Keep only so much of what was seen, a tenth at a time."""
    if len(past) > MOST_EVENTS:
        del past[: MOST_EVENTS // 10]
