"""A place whose Core is a model in memory: relay, MODE, USB and clock are the model's own, and a hand may be late."""

from __future__ import annotations

import struct
from collections.abc import Iterable

from rig.clock import Clock
from rig.errors import Misdescribed
from rig.families.spark_core.boards.board import SparkCore
from rig.families.spark_core.formats import flash as layout
from rig.families.spark_core.sweep.usb_in_memory import UsbInMemory
from rig.firmware.catalogue import Catalogue
from tests.rig.families.spark_core.twin.models import core_in_memory


class CorePlace(Clock):
    """`late` are seconds by which each hold of MODE is longer than it is meant to be; `answers` comes after it."""

    serves_twin = False

    def __init__(self, generation: str, late: Iterable[float] = (), *, answers: float = 0.0):
        self.core = core_in_memory(generation=generation)
        self._is_held, self._late, self._answers = False, iter(late), answers
        tags = {"generation": generation}
        self.board = SparkCore("core-01", relay=self, mode=Mode(self), usb=self, tags=tags, clock=self)

    def application(self, catalogue: Catalogue) -> str:
        """Name of the image in the application area, `none` for any other content."""
        found = catalogue.find(self.core.memory.internal.read(layout.APP_ADDRESS, layout.APP_SIZE))
        return found.name if found is not None else "none"

    # -- the clock -----------------------------------------------------------------------------------------------------

    def now(self) -> float:
        return self.core.time

    def sleep(self, seconds: float) -> None:
        if self._is_held:
            seconds += next(self._late, 0.0)
        self.core.advance(self.core.time + seconds)

    def slowdown(self) -> float:
        return 1.0

    # -- relay and USB -------------------------------------------------------------------------------------------------

    def on(self) -> None:
        self.core.power_on(self.core.time)

    def off(self) -> None:
        self.core.power_off(self.core.time)

    def get(self) -> bool:
        return self.core.powered

    def identity(self) -> str | None:
        if self.core.usb is None:
            return None
        vendor, product = struct.unpack_from("<HH", self.core.usb.device_descriptor, 8)
        return f"{vendor:04x}:{product:04x}"

    def other_dfu_devices(self) -> dict[str, Misdescribed]:
        return {}

    def device(self) -> UsbInMemory:
        return UsbInMemory(self.core)

    def press(self, pressed: bool) -> None:
        self._is_held = pressed
        self.core.press_mode(pressed, self.core.time)
        if not pressed:
            self.core.advance(self.core.time + self._answers)


class Mode:
    """The button."""

    def __init__(self, place: CorePlace):
        self._place = place

    def set(self, pressed: bool) -> None:
        self._place.press(pressed)

    def get(self) -> bool:
        return self._place.core.mode_held
