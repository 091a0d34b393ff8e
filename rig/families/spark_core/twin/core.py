"""A Spark Core without input and output: lines, USB requests and time go in; answers, flash work and events come out.

When the watchdog bites, the flash operation in flight finishes: flash keeps its supply.
"""

from __future__ import annotations

import math
from collections.abc import Callable, MutableMapping
from functools import cache

from rig.errors import Misuse
from rig.families.spark_core.firmware.identity import Identity
from rig.families.spark_core.formats import flash as layout
from rig.families.spark_core.twin.app.application import application
from rig.families.spark_core.twin.app.dialect import Dialect
from rig.families.spark_core.twin.app.user_code import UserCode
from rig.families.spark_core.twin.boot_code import BootCode, IdentifyBootloader
from rig.families.spark_core.twin.bootloader import BOOTLOADERS
from rig.families.spark_core.twin.button import RunningButton
from rig.families.spark_core.twin.console import Console
from rig.families.spark_core.twin.memory import CoreMemory
from rig.families.spark_core.twin.radio import Radio
from rig.families.spark_core.twin.steps import Jump, WhileModeHeld
from rig.families.spark_core.twin.usb_function import UsbFunction
from rig.formats.usb import Setup
from rig.twin.board_model import BoardModel, forget_oldest
from rig.twin.steps import Idle, Reset, Step, Timer

NO_WATCHDOG = 0xA
DEFAULT_UID = bytes.fromhex("48ff6d065067555026311387")

#: What is known of an application area.
Identify = Callable[[bytes], Identity]


@cache
def _of_pages(identify: Identify) -> Callable[[tuple[bytes, ...]], Identity]:
    """The same, as a question of flash; the same for every board that has the same catalogue."""

    def which_application(pages: tuple[bytes, ...]) -> Identity:
        return identify(b"".join(pages))

    return which_application


class Core(BoardModel):
    """The board: memories, registers and lines, and the program that runs now.

    `time_scale` stretches its timers (watchdog, MODE, health) too; 0 leaves those as they are.
    """

    memory: CoreMemory

    def __init__(
        self,
        memory: CoreMemory,
        identify: Identify,
        *,
        uid: bytes = DEFAULT_UID,
        generation: str | None = "b",
        locked: bool = False,
        identify_bootloader: IdentifyBootloader = lambda _pages: None,
        time_scale: float = 1.0,
        seed: int = 0,
        radio: Radio | None = None,
        dialect: Dialect | None = None,
        user_code: UserCode | None = None,
    ):
        super().__init__(memory, time_scale=time_scale, seed=seed)
        self.uid = uid
        self.locked = locked
        self._boot_code = BootCode(memory, identify_bootloader, generation)
        self.identify = identify
        self.mode_held = False
        self.reset_held = False
        self.causes: set[str] = set()
        self._first_causes: frozenset[str] = frozenset()
        self.dr: MutableMapping[int, int] = {}
        self.usb: UsbFunction | None = None
        self.led: list[tuple[float, str, float]] = []
        self.locked_up = False
        self.watchdog_ms: float | None = None
        self.on_usb_change: Callable[[], None] | None = None
        self.radio = radio or Radio()
        self.console = Console()
        self.dialect, self.user_code = dialect, user_code
        self.listening_wanted = False
        self._button = RunningButton()
        self._watchdog_at = math.inf

    # -- lines -------------------------------------------------------------------------------------------------------

    def power_on(self, now: float, *, causes: frozenset[str] = frozenset({"power-on", "pin"})) -> None:
        """Supply rises: registers are zero, operations are counted from 0; `causes` are what reset it then."""
        self._first_causes = causes
        super().power_on(now)

    def press_mode(self, held: bool, now: float) -> None:
        """MODE goes down or up."""
        self.advance(now)
        self.mode_held = held
        self._button.press(held, self.time)
        if not held and isinstance(self._stepper.step, WhileModeHeld):
            self._stepper.go_on(self.time, True)
            self.advance(now)

    def press_reset(self, held: bool, now: float) -> None:
        """RST goes down, and the board stands still; or up, and it starts anew. Registers survive."""
        self.advance(now)
        if held == self.reset_held:
            return
        self.reset_held = held
        if self.powered:
            self._stepper.interrupt(now, tearing=False)
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
        """Whether the last request keeps the device from answering the next: flash work does, waiting does not."""
        return self._stepper.on_a_job and not isinstance(self._stepper.step, Timer)

    def control(self, setup: Setup, data: bytes, now: float) -> bytes | None:
        """Answer one control transfer (None stalls). Call only while attached and not busy."""
        self.advance(now)
        if self.usb is None or self.busy:
            raise Misuse("a control transfer to a device that is detached or busy")
        return self._stepper.ask(self.usb.control, setup, data)

    def acknowledge(self, now: float) -> None:
        """The host has the last answer: what the device does in the status stage begins."""
        job = self._stepper.ask(self.usb.status_stage) if self.usb is not None and not self.busy else None
        if job is not None:
            self.time = max(self.time, now)
            self._stepper.interpose(job, self.time)
            self.advance(now)

    # -- network and console -----------------------------------------------------------------------------------------

    def network(self, what: str, data: bytes, now: float) -> None:
        """Something came from the network: `open`, `lost`, or `data`."""
        self._hear(now, lambda: self.radio.happened(what, data))

    def typed(self, data: bytes, now: float) -> None:
        """Something came from the console."""
        self._hear(now, lambda: self.console.happened(data))

    # -- time --------------------------------------------------------------------------------------------------------

    def due(self) -> float:
        """When the board next does something by itself; infinity when it does not."""
        return min(super().due(), self._watchdog_at, self._button.due()) if self.powered else math.inf

    def application(self) -> Identity:
        """What lies in the application area."""
        return self.memory.internal.ask(_of_pages(self.identify), layout.APP_ADDRESS, layout.APP_SIZE)

    # -- what programs call ------------------------------------------------------------------------------------------

    def light(self, colour: str, toggle_seconds: float) -> None:
        """Change the RGB LED: colour and the time between toggles, 0 for steady."""
        self.led.append((self.time, colour, toggle_seconds))
        forget_oldest(self.led)

    def feed_watchdog(self, seconds: float | None) -> None:
        """Let the watchdog bite in `seconds`, or never again (None: the running program feeds it on time)."""
        self._watchdog_at = math.inf if seconds is None else self.time + seconds * self._stepper.timer_scale

    @property
    def generation(self) -> str | None:
        """Name of the bootloader in flash; None when somebody has written over it, and the board is dead."""
        return self._boot_code.generation

    # -- how it goes on ----------------------------------------------------------------------------------------------

    def _happen(self) -> None:
        if self._button.due() <= min(self._stepper.ends, self._watchdog_at):
            self._held_on()
        elif self._watchdog_at < self._stepper.ends:
            self._bite()
        else:
            super()._happen()

    def _go_on(self, step: Step) -> None:
        match step:
            case Reset():
                self.event("reset")
                self._restart("software")
            case Jump(address, watchdog_ms, at_once):
                self._jump(address, watchdog_ms, at_once)
            case WhileModeHeld():
                self._stepper.go_on(self.time, False)
            case _:
                super()._go_on(step)

    def _start(self) -> None:
        self.locked_up = False
        self.running = None
        self.listening_wanted = False
        self.console.show(False)
        self.radio.vanish()
        self.watchdog_ms = None if self._watchdog_at == math.inf else self.watchdog_ms
        generation = self.generation
        if generation is None:
            self.locked_up = True
            self.event("no-bootloader")
        if self.reset_held or generation is None:
            self._stepper.stop(self.time)
        else:
            self._stepper.run(BOOTLOADERS[generation](self), self.time)

    def _restart(self, cause: str) -> None:
        self.detach()
        self.causes |= {cause, "pin"}
        self.memory.internal.error = False
        self._watchdog_at = math.inf
        self._start()

    def _gain_power(self) -> None:
        self.dr = self.memory.backup_registers()
        self.causes = set(self._first_causes)
        self._watchdog_at = math.inf
        self._start()

    def _lose_power(self) -> None:
        self._watchdog_at = math.inf
        self.console.show(False)
        self.radio.vanish()
        super()._lose_power()
        self.detach()

    def _bite(self) -> None:
        """The watchdog resets the board, whatever it does."""
        idle = isinstance(self._stepper.step, Idle)
        self._stepper.interrupt(self._watchdog_at, tearing=False)
        if idle and self.usb is not None:
            self.event("dfu-until-watchdog")
        self.event("watchdog-reset")
        self._restart("watchdog")

    def _jump(self, address: int, watchdog_ms: float | None, at_once: bool) -> None:
        """Leave the bootloader: first the stack pointer, then the watchdog, then the image (Appendix C2, C3).

        An image that is gone to `at_once` with a stack that is nowhere dies of it itself.
        """
        if address == layout.INTERNAL_BASE:
            self.event("self-jump")
            self._start_watchdog(watchdog_ms)
            self._start()
            return
        has_stack = layout.stack_in_ram(int.from_bytes(self.memory.app_start()[:4], "little"))
        if not has_stack and not at_once:
            self.locked_up = True
            self.event("lockup")
            self._stepper.stop(self.time)
            return
        self._start_watchdog(watchdog_ms)
        known = self.application()
        self.event(f"jump:{known.name}")
        if has_stack:
            self.running = known.name
            self._stepper.run(application(self, known), self.time)
        else:
            self._stepper.stop(self.time)

    def _start_watchdog(self, milliseconds: float | None) -> None:
        if milliseconds is not None and self.dr[9] >> 12 != NO_WATCHDOG:
            self.watchdog_ms = milliseconds
            self.feed_watchdog(milliseconds / 1000)

    def _held_on(self) -> None:
        """MODE is held while an application runs: SysTick notices, whatever else is going on."""
        wipes = self._button.fire()
        if self.running is None:
            return
        if wipes:
            self.radio.wipe_profiles()
        elif not self.console.open:
            self.listening_wanted = True
        self._stimulate()

    def _usb_changed(self) -> None:
        if self.on_usb_change:
            self.on_usb_change()
