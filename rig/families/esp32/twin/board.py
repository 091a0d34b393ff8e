"""An ESP32 without input and output: lines, bytes and time go in; bytes, flash work and events come out.

A reset lets the flash operation in flight finish: the flash chip keeps its supply.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from rig.families.esp32.twin.boot import start
from rig.families.esp32.twin.chip import Chip
from rig.families.esp32.twin.memory import Esp32Memory
from rig.families.esp32.twin.questions import Questions
from rig.families.esp32.twin.steps import POWERON, RTCWDT_RTC, SW_CPU_RESET, Bootloaders, Reboot
from rig.families.esp32.twin.uart import Uart
from rig.firmware.manifest import Image
from rig.twin.board_model import BoardModel
from rig.twin.steps import Reset, Step
from rig.twin.tcp import TcpClient

#: Finds the image that a stretch of flash begins with.
FindImage = Callable[[bytes], Image | None]


class Esp32(BoardModel):
    """The board: flash, chip, serial port and radio, and the program that runs now.

    `find` tells applications by content, `bootloaders` second stages. EN, network and protocol timers are never scaled.
    """

    memory: Esp32Memory

    def __init__(
        self,
        memory: Esp32Memory,
        chip: Chip,
        *,
        find: FindImage | Questions,
        bootloaders: Bootloaders,
        trust: Callable[[str], str | None] = lambda _name: None,
        network_time: Callable[[], Callable[[], float | None]] = lambda: time.time,
        time_scale: float = 1.0,
        seed: int = 0,
    ):
        """`find` may be questions that boards share; `trust` finds the PEM of a certificate that firmware pins by name,
        `network_time` what sets its clock.
        """
        super().__init__(memory, time_scale=time_scale, seed=seed)
        self.chip = chip
        self.questions = find if isinstance(find, Questions) else Questions(find)
        self.bootloaders, self.trust = bootloaders, trust
        self.network_time = network_time
        self.uart = Uart()
        self.tcp = TcpClient()
        self.in_reset = False
        self.gpio0_low = False
        #: What the strapping pins were when the chip last left reset.
        self.downloads = False
        self.reset_cause = POWERON

    # -- lines -------------------------------------------------------------------------------------------------------

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
            self.uart.cut()
            self.event("reset")
        else:
            self.chip.reset()
            self._leave_reset(POWERON)

    # -- what comes from outside -------------------------------------------------------------------------------------

    def received(self, data: bytes, now: float) -> None:
        """Bytes came on the serial port; a chip that stands still hears nothing."""
        self._hear(now, lambda: self.uart.happened(data) if self.powered and not self.in_reset else None)

    def network(self, what: str, data: bytes, now: float) -> None:
        """Something came from the network: `open`, `lost`, or `data`."""
        self._hear(now, lambda: self.tcp.happened(what, data))

    # -- what programs call ------------------------------------------------------------------------------------------

    def say(self, line: str) -> None:
        """Print a line on the console."""
        self.uart.send(line.encode("utf-8", "replace") + b"\r\n")

    # -- how it goes on ----------------------------------------------------------------------------------------------

    def _go_on(self, step: Step) -> None:
        match step:
            case Reboot(cause):
                self._restart(cause)
            case Reset():
                self._restart(SW_CPU_RESET)
            case _:
                super()._go_on(step)

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
        self.uart.reset()
        self.tcp.vanish()

    def _gain_power(self) -> None:
        self.chip.power_on()
        self._leave_reset(POWERON)

    def _lose_power(self) -> None:
        self.uart.cut()
        self.tcp.vanish()
        super()._lose_power()
