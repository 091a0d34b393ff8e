"""A Spark Core without input and output: lines, USB requests and time go in; answers, flash work and events come out.

Time is a number of seconds that whoever owns the board passes in; a step under way when the supply fails or the
watchdog bites is carried out as far as its time allows, and the operation in flight is torn.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from dataclasses import dataclass

from rig.errors import Misuse
from rig.formats import spark_flash as layout
from rig.formats.usb import Setup
from rig.twin.flash import Journal, PowerLost, Run
from rig.twin.spark_core.application import application
from rig.twin.spark_core.bootloader import bootloader
from rig.twin.spark_core.memory import SECONDS, CoreMemory
from rig.twin.spark_core.steps import Delay, Idle, Jump, Program, Reset, Step, WhileModeHeld, Work
from rig.twin.spark_core.usb_function import UsbFunction
from rig.twin.tears import tear_at

WATCHDOG_MS = 4998.4
NO_WATCHDOG = 0xA
DEFAULT_UID = bytes.fromhex("48ff6d065067555026311387")

#: What is known of an application area: (its name, how it behaves), the behaviour None when nobody knows it.
Identify = Callable[[bytes], tuple[str, str | None]]


@dataclass(slots=True)
class Event:
    """Something seen on the board at `at` seconds."""

    at: float
    name: str


class Core:
    """The board: memories, registers, lines, and the program that runs now.

    `time_scale` stretches everything the board does by itself; 0 takes the time out of flash work and start-up and
    leaves its timers (watchdog, MODE, health) as they are.
    """

    def __init__(
        self,
        memory: CoreMemory,
        identify: Identify,
        *,
        uid: bytes = DEFAULT_UID,
        time_scale: float = 1.0,
        seed: int = 0,
    ):
        self.memory = memory
        self.uid = uid
        self.identify = identify
        self.time = 0.0
        self.powered = False
        self.mode_held = False
        self.reset_held = False
        self.causes: set[str] = set()
        self.dr: dict[int, int] = {}
        self.usb: UsbFunction | None = None
        self.events: list[Event] = []
        self.led: list[tuple[float, str, float]] = []
        self.running: str | None = None
        self.locked_up = False
        self.watchdog_ms: float | None = None
        self.on_usb_change: Callable[[], None] | None = None
        self._work_scale = time_scale
        self._timer_scale = time_scale or 1.0
        self._rng = random.Random(seed)
        self._program: Program | None = None
        self._job: Program | None = None
        self._step: Step = Idle()
        self._step_started = 0.0
        self._step_ends = math.inf
        self._performed = 0
        self._watchdog_at = math.inf

    # -- lines -------------------------------------------------------------------------------------------------------

    def power_on(self, now: float, *, causes: frozenset[str] = frozenset({"power-on", "pin"})) -> None:
        """Supply rises: registers are zero, operations are counted from 0."""
        if self.powered:
            return
        self.advance(now)
        self.time = max(self.time, now) if now < math.inf else self.time
        self.powered = True
        self.memory.journal = Journal()
        self.memory.internal.error = False
        self.memory.internal.reads.clear()
        self.memory.external.reads.clear()
        self.dr = dict.fromkeys(range(1, 11), 0)
        self.causes = set(causes)
        self._watchdog_at = math.inf
        self.event("power-on")
        self._start()

    def power_off(self, now: float) -> None:
        """Supply falls at `now`: the operation in flight is torn, everything volatile is gone."""
        if not self.powered:
            return
        self.advance(now)
        if self.powered:
            self._interrupt(now, tearing=True)
            self._lose_power()

    def press_mode(self, held: bool, now: float) -> None:
        """MODE goes down or up."""
        self.advance(now)
        self.mode_held = held
        if not held and isinstance(self._step, WhileModeHeld):
            self._next_step(True)
            self.advance(now)

    def press_reset(self, held: bool, now: float) -> None:
        """RST goes down, and the board stands still; or up, and it starts anew. Registers survive."""
        self.advance(now)
        self.reset_held = held
        if self.powered:
            self._interrupt(now, tearing=False)
            self._restart("pin")

    # -- USB ---------------------------------------------------------------------------------------------------------

    def attach(self, function: UsbFunction) -> None:
        """Show the host a device."""
        self.usb = function
        self._usb_changed()

    def detach(self) -> None:
        """Take the device away from the host."""
        if self.usb is not None:
            self.usb = None
            self._usb_changed()

    @property
    def busy(self) -> bool:
        """Whether the last request still keeps the device from answering the next."""
        return self._job is not None

    def control(self, setup: Setup, data: bytes, now: float) -> bytes | None:
        """Answer one control transfer (None stalls). Call only while attached and not busy."""
        self.advance(now)
        if self.usb is None or self.busy:
            raise Misuse("a control transfer to a device that is detached or busy")
        return self.usb.control(setup, data)

    def acknowledge(self, now: float) -> None:
        """The host has the last answer: what the device does in the status stage begins."""
        job = self.usb.status_stage() if self.usb is not None and not self.busy else None
        if job is not None:
            self.time = max(self.time, now)
            self._job = job
            self._next_step()
            self.advance(now)

    # -- time --------------------------------------------------------------------------------------------------------

    def due(self) -> float:
        """When the board next does something by itself; infinity when it does not."""
        return min(self._step_ends, self._watchdog_at) if self.powered else math.inf

    def advance(self, now: float) -> None:
        """Let everything happen that is due until `now`."""
        while self.due() <= now and self.step():
            pass
        if now < math.inf:
            self.time = max(self.time, now)

    def step(self) -> bool:
        """Let the next thing happen, whenever it is due; False when nothing ever is."""
        due = self.due()
        if due == math.inf:
            return False
        self.time = max(self.time, due)
        if self._watchdog_at < self._step_ends:
            self._interrupt(self._watchdog_at, tearing=False)
            if isinstance(self._step, Idle) and self.usb is not None:
                self.event("dfu-until-watchdog")
            self.event("watchdog-reset")
            self._restart("watchdog")
            return True
        try:
            self._complete()
        except PowerLost:
            self._lose_power()
        return True

    def catch_up(self, now: float) -> None:
        """Carry out what the flash work under way has done by `now`, so that a look at the memories is true."""
        self.advance(now)
        if isinstance(self._step, Work) and self.powered:
            run = self._step.run
            self._perform(run, int(self._share(now) * run.count))

    @property
    def operations(self) -> int:
        """How many flash operations were carried out since power-on."""
        if self.powered and isinstance(self._step, Work):
            return self._step.run.first + self._performed
        return self.memory.journal.next

    # -- what programs call ------------------------------------------------------------------------------------------

    def event(self, name: str) -> None:
        """Note something worth seeing."""
        self.events.append(Event(self.time, name))

    def light(self, colour: str, toggle_seconds: float) -> None:
        """Change the RGB LED: colour and the time between toggles, 0 for steady."""
        self.led.append((self.time, colour, toggle_seconds))

    def feed_watchdog(self, seconds: float | None) -> None:
        """Let the watchdog bite in `seconds`, or never again (None: the running program feeds it on time)."""
        self._watchdog_at = math.inf if seconds is None else self.time + seconds * self._timer_scale

    # -- how it goes on ----------------------------------------------------------------------------------------------

    def _start(self) -> None:
        self.locked_up = False
        self.running = None
        self.watchdog_ms = None if self._watchdog_at == math.inf else self.watchdog_ms
        self._job = None
        if self.reset_held:
            self._begin(Idle())
            return
        self._program = bootloader(self)
        self._next_step()

    def _restart(self, cause: str) -> None:
        self.detach()
        self.causes |= {cause, "pin"}
        self.memory.internal.error = False
        self._watchdog_at = math.inf
        self._start()

    def _lose_power(self) -> None:
        self.powered = False
        self._program = self._job = None
        self._step, self._step_ends, self._watchdog_at = Idle(), math.inf, math.inf
        self.running = None
        self.event("power-off")
        self.detach()

    def _interrupt(self, now: float, *, tearing: bool) -> None:
        """End the flash work under way at `now`; the operation in flight is torn, or finishes where power stays."""
        if not isinstance(self._step, Work):
            return
        self.catch_up(now)
        run = self._step.run
        if self._performed >= run.count:
            return
        k = run.first + self._performed
        if tearing:
            self.memory.nor(run).tear(run.operation(k), tear_at(self._rng, self._share(now) * run.count % 1))
        else:
            self._perform(run, self._performed + 1)
            k += 1
        self.memory.journal.truncate(k)

    def _share(self, now: float) -> float:
        """How much of the step under way is done at `now`, 0 to 1."""
        seconds = self._step_ends - self._step_started
        return min((now - self._step_started) / seconds, 1.0) if seconds else 1.0

    def _perform(self, run: Run, until: int) -> None:
        if until > self._performed:
            self.memory.perform(run, self._performed, until)
            self._performed = until

    def _complete(self) -> None:
        match self._step:
            case Work(run):
                self._perform(run, run.count)
                self._next_step()
            case Reset():
                self.event("reset")
                self._restart("software")
            case Jump(address):
                self._jump(address)
            case WhileModeHeld():
                self._next_step(False)
            case _:
                self._next_step()

    def _next_step(self, answer: bool | None = None) -> None:
        """Take the next step of the request under way, else of the program."""
        while True:
            program = self._job or self._program
            assert program is not None
            try:
                step = next(program) if answer is None else program.send(answer)
            except StopIteration:
                answer = None
                if self._job is not None:
                    self._job = None
                    self._begin(Idle())
                    return
                self._begin(Idle())
                return
            answer = None
            if isinstance(step, Work):
                if step.run.count == 0:
                    continue
                step = Work(self.memory.journal.number(step.run))
            self._begin(step)
            return

    def _begin(self, step: Step) -> None:
        self._step, self._step_started, self._performed = step, self.time, 0
        match step:
            case Work(run):
                seconds = SECONDS[run.kind] * run.count * self._work_scale
            case Delay(delay):
                seconds = delay * self._work_scale
            case WhileModeHeld(hold):
                seconds = hold * self._timer_scale
            case Idle():
                seconds = math.inf
            case _:
                seconds = 0.0
        self._step_ends = self.time + seconds

    def _jump(self, address: int) -> None:
        """Leave the bootloader: first the stack pointer, then the watchdog, then the image (Appendix C2, C3)."""
        if address == layout.INTERNAL_BASE:
            self.event("self-jump")
            self._start_watchdog()
            self._start()
            return
        app = self.memory.internal.read(layout.APP_ADDRESS, layout.APP_SIZE)
        stack = int.from_bytes(app[:4], "little")
        if not layout.RAM_BASE < stack <= layout.RAM_BASE + layout.RAM_SIZE:
            self.locked_up = True
            self.event("lockup")
            self._begin(Idle())
            return
        self._start_watchdog()
        name, behaviour = self.identify(app)
        self.running = name
        self.event(f"jump:{name}")
        self._program = application(self, behaviour)
        self._next_step()

    def _start_watchdog(self) -> None:
        if self.dr[9] >> 12 != NO_WATCHDOG:
            self.watchdog_ms = WATCHDOG_MS
            self.feed_watchdog(WATCHDOG_MS / 1000)

    def _usb_changed(self) -> None:
        if self.on_usb_change:
            self.on_usb_change()
