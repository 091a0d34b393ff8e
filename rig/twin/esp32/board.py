"""An ESP32 without input and output: lines, bytes and time go in; bytes, flash work and events come out.

Time is a number of seconds that whoever owns the board passes in; a step under way when the supply fails is carried out
as far as its time allows, and the operation in flight is torn. A reset lets the operation in flight finish: the flash
chip keeps its supply.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from rig.firmware.manifest import Image
from rig.twin.esp32.boot import Bootloaders, start
from rig.twin.esp32.chip import Chip
from rig.twin.esp32.memory import Esp32Memory
from rig.twin.esp32.steps import POWERON, RTCWDT_RTC, SW_CPU_RESET, Reboot
from rig.twin.esp32.uart import Uart
from rig.twin.flash import PowerLost
from rig.twin.stepper import Stepper
from rig.twin.steps import Listen, Reset
from rig.twin.tcp import TcpClient

#: Finds the image that a stretch of flash begins with.
FindImage = Callable[[bytes], Image | None]


@dataclass(slots=True)
class Event:
    """Something that happened on the board at `at` seconds."""

    at: float
    name: str


class Esp32:
    """The board: flash, chip, serial port and radio, and the program that runs now.

    `find` tells applications by content, `bootloaders` second stages. `time_scale` stretches flash work and start-up;
    0 leaves them out. EN, network and protocol timers are never scaled.
    """

    def __init__(
        self,
        memory: Esp32Memory,
        chip: Chip,
        *,
        find: FindImage,
        bootloaders: Bootloaders,
        trust: Callable[[str], str | None] = lambda _name: None,
        time_scale: float = 1.0,
        seed: int = 0,
    ):
        """`trust` finds the PEM of a certificate that firmware pins by name."""
        self.memory, self.chip = memory, chip
        self.find, self.bootloaders, self.trust = find, bootloaders, trust
        self.uart = Uart()
        self.tcp = TcpClient()
        self.time = 0.0
        self.powered = False
        self.in_reset = False
        self.gpio0_low = False
        #: What the strapping pins were when the chip last left reset.
        self.downloads = False
        self.reset_cause = POWERON
        self.events: list[Event] = []
        #: Label of the partition whose application runs; None while none does.
        self.running: str | None = None
        self._stepper = Stepper(memory, time_scale=time_scale, seed=seed)

    # -- lines -------------------------------------------------------------------------------------------------------

    def power_on(self, now: float) -> None:
        """Supply rises: operations are counted from 0."""
        self.advance(now)
        if self.powered:
            return
        self.powered = True
        self.memory.power_on()
        self.chip.reset()
        self.event("power-on")
        self._leave_reset(POWERON)

    def power_off(self, now: float) -> None:
        """Supply falls at `now`: the operation in flight is torn, everything volatile is gone."""
        self.advance(now)
        if self.powered:
            self._stepper.interrupt(now, tearing=True)
            self._lose_power()

    def hold_reset(self, held: bool, now: float) -> None:
        """EN goes low, and the chip stands still; or high, and it starts anew. It looks like a power-on (§1.7)."""
        self.advance(now)
        if held == self.in_reset:
            return
        self.in_reset = held
        if not self.powered:
            return
        if held:
            self._stop()
            self.event("reset")
        else:
            self.chip.reset()
            self._leave_reset(POWERON)

    # -- what comes from outside -------------------------------------------------------------------------------------

    def received(self, data: bytes, now: float) -> None:
        """Bytes came on the serial port; a chip that stands still hears nothing."""
        self.advance(now)
        if self.powered and not self.in_reset:
            self.uart.happened(data)
            self._stimulate()
            self.advance(now)

    def network(self, what: str, data: bytes, now: float) -> None:
        """Something came from the network: `open`, `lost`, or `data`."""
        self.advance(now)
        self.tcp.happened(what, data)
        self._stimulate()
        self.advance(now)

    # -- time --------------------------------------------------------------------------------------------------------

    def due(self) -> float:
        """When the board next does something by itself; infinity when it does not."""
        return self._stepper.ends if self.powered else math.inf

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
        try:
            self._stepper.finish()
        except PowerLost:
            self._lose_power()
            return True
        match self._stepper.step:
            case Reboot(cause):
                self._restart(cause)
            case Reset():
                self._restart(SW_CPU_RESET)
            case _:
                self._stepper.go_on(self.time)
        return True

    @property
    def writing(self) -> bool:
        """Whether flash work is under way."""
        return self._stepper.at_work

    def catch_up(self, now: float) -> None:
        """Let everything happen until `now`, flash work under way included, so that a look at the flash is true."""
        self.advance(now)
        self._stepper.catch_up(self.time)

    @property
    def operations(self) -> int:
        """How many flash operations were carried out since power-on."""
        return self._stepper.operations

    # -- what programs call ------------------------------------------------------------------------------------------

    def event(self, name: str) -> None:
        """Note something worth seeing."""
        self.events.append(Event(self.time, name))

    def say(self, line: str) -> None:
        """Print a line on the console."""
        self.uart.send(line.encode("utf-8", "replace") + b"\r\n")

    # -- how it goes on ----------------------------------------------------------------------------------------------

    def _leave_reset(self, cause: int) -> None:
        self.downloads = self.gpio0_low
        self._begin(cause)

    def _restart(self, cause: int) -> None:
        """Straps are sampled by power-on, EN and the RTC's watchdog (data sheet); others keep what was sampled."""
        self.event(f"restart:{cause:#x}")
        self._stop()
        if cause == RTCWDT_RTC:
            self.downloads = self.gpio0_low
        self._begin(cause)

    def _begin(self, cause: int) -> None:
        self.reset_cause = cause
        self.uart.reset()
        if not self.in_reset:
            self._stepper.run(start(self), self.time)

    def _stop(self) -> None:
        """Whatever runs is gone; the operation in flight finishes, the chip of the flash has its supply."""
        self._stepper.interrupt(self.time, tearing=False)
        self._stepper.stop(self.time)
        self.running = None
        self.tcp.vanish()

    def _lose_power(self) -> None:
        self.powered = False
        self._stepper.stop(self.time)
        self.running = None
        self.tcp.vanish()
        self.event("power-off")

    def _stimulate(self) -> None:
        """Something came from outside: whoever listens for that goes on."""
        if self.powered and isinstance(self._stepper.step, Listen):
            self._stepper.go_on(self.time)
