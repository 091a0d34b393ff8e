"""MODE held from reset in generation C: safe mode, DFU, the factory image, a wipe (reference §3.2, Appendix E).

Each shape is that of bootloader/src/main.c in the releases of device-os that its name tells.
"""

from __future__ import annotations

from typing import ClassVar

from rig.families.spark_core.formats import flash as layout
from rig.families.spark_core.formats.flash import SystemFlags
from rig.families.spark_core.twin.copies import Modes, show
from rig.families.spark_core.twin.flags import save
from rig.families.spark_core.twin.steps import Board, WhileModeHeld
from rig.twin.steps import Program

#: When each of the four means something, and when the wait ends: by SysTick up to v0.6.0, then by a tick of 10 ms of
#: TIM1 that takes 73 x 10,000 cycles of 72 MHz.
BY_SYSTICK = (1.0, 3.0, 6.5, 10.001, 12.0)
TICK_SECONDS = 73 * 10_000 / 72e6
BY_TIM1 = (100 * TICK_SECONDS, 300 * TICK_SECONDS, 651 * TICK_SECONDS, 1001 * TICK_SECONDS, 12.0)


class Hold:
    """MODE is held: what each moment means for the modes and flags of this start. v0.6.1 to v1.0.1."""

    seconds: ClassVar[tuple[float, ...]] = BY_TIM1

    def __init__(self, board: Board, flags: SystemFlags, modes: Modes):
        self.board, self.flags, self.modes = board, flags, modes

    def wait(self) -> Program:
        """Wait for MODE to be let go, twelve seconds at the longest."""
        *begins, end = self.seconds
        begun = 0.0
        for at, what in zip(begins, (self.safe_mode, self.dfu, self.factory_image, self.wipe), strict=True):
            if (yield WhileModeHeld(at - begun)):
                break
            begun = at
            what()
        else:
            yield WhileModeHeld(end - begun)
        yield from self.over()

    def safe_mode(self) -> None:
        """One second: safe mode, unless it was asked for; what else was pending is forgotten."""
        if not self.modes.safe:
            self.modes.only(dfu=self.modes.dfu)
            self.modes.safe = True
            show(self.board, "magenta", 0.1)

    def dfu(self) -> None:
        """Three seconds: DFU, unless it is selected."""
        if not self.modes.dfu:
            self.modes.dfu = True
            show(self.board, "yellow", 0.1)

    def factory_image(self) -> None:
        """Six and a half: the factory image, unless it is selected; networks stay."""
        if not self.modes.factory:
            self.modes.factory = True
            self.flags.nvmem = 0
            show(self.board, "green", 0.05)

    def wipe(self) -> None:
        """Ten: networks are to be forgotten, too."""
        self.flags.nvmem = layout.NVMEM_WIPE_PROFILES
        show(self.board, "white", 0.05)

    def over(self) -> Program:
        """MODE was let go, or the twelve seconds are over."""
        yield from ()


class HoldSince110(Hold):
    """v1.1.0 on: ten seconds are saved at once, and end DFU and safe mode."""

    _wipes = False

    def wipe(self) -> None:
        """Ten: all that was asked for before ends with it."""
        self._wipes = True
        show(self.board, "white", 0.05)

    def over(self) -> Program:
        """MODE was let go, or the twelve seconds are over."""
        if self._wipes:
            self.flags.nvmem = layout.NVMEM_WIPE_PROFILES
            yield from save(self.board, self.flags)
            self.modes.dfu = self.modes.safe = False


class HoldUntil060(Hold):
    """v0.4.5 to v0.6.0: the button alone decides between factory image, DFU and safe mode, and DFU ends safe mode."""

    seconds = BY_SYSTICK
    _factory = False

    def factory_image(self) -> None:
        """Six and a half: the factory image; networks stay."""
        self._factory = True
        self.flags.nvmem = 0
        show(self.board, "green", 0.05)

    def over(self) -> Program:
        """MODE was let go, or the twelve seconds are over."""
        modes = self.modes
        if self._factory or modes.dfu or modes.safe:
            modes.factory = self._factory
            modes.dfu = modes.dfu and not self._factory
            modes.safe = modes.safe and not modes.dfu
        yield from ()


class HoldUntil044(HoldUntil060):
    """Up to v0.4.4: what was pending is forgotten at three seconds, and not at one."""

    def safe_mode(self) -> None:
        """One second: safe mode, unless it was asked for."""
        if not self.modes.safe:
            self.modes.safe = True
            show(self.board, "magenta", 0.1)

    def dfu(self) -> None:
        """Three seconds: DFU and nothing else, unless it is selected."""
        if not self.modes.dfu:
            self.modes.only(dfu=True)
            show(self.board, "yellow", 0.1)
