"""The bootloader of generation B, 2014-08-21, weaknesses included (reference/spark-core.md §3 and Appendix C).

It is a program of steps: it reads flash and registers of its board, and asks for flash work one run at a time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rig.formats import spark_flash as layout
from rig.formats.spark_flash import SystemFlags, plausible_first_word
from rig.twin.spark_core.dfu import DfuFunction
from rig.twin.spark_core.steps import Delay, Idle, Jump, Program, Reset, WhileModeHeld, Work

if TYPE_CHECKING:
    from rig.twin.spark_core.core import Core

START_SECONDS = 0.02
MODE_DFU_SECONDS = 3.0
MODE_FACTORY_SECONDS = 10.0
HEALTHY = 0xFFFF


class Modes:
    """The four modes a start can choose; the first that is set in the order copy, factory, rollback, DFU is entered."""

    def __init__(self) -> None:
        self.copy = self.factory = self.rollback = self.dfu = False

    def only(self, *, factory: bool = False, dfu: bool = False) -> None:
        """Clear all, then set the one named."""
        self.copy = self.rollback = False
        self.factory, self.dfu = factory, dfu


def bootloader(core: Core) -> Program:
    """One start, from reset to a jump, to DFU or to another reset."""
    yield Delay(START_SECONDS)
    if core.dr[9] == 0xA5A5:
        core.dr[9] = 0
        core.event("standby")
        yield Idle()
    flags = SystemFlags.unpack(core.memory.internal.read(layout.FLAGS_ADDRESS, SystemFlags.SIZE))
    modes = Modes()
    app_address = choose(core, flags, modes)
    yield from check_health(core, flags, modes)
    yield from watch_button(core, flags, modes)
    if modes.copy:
        show(core, "magenta", 0.05)
        yield from backup(core)
        flags.ota = layout.OTA_COPYING
        yield from save(core, flags)
        core.dr[10] = layout.OTA_COPYING
        yield from restore(core, layout.OTA_ADDRESS)
        flags.flashed = 1
        yield from finish(core, flags)
    elif modes.factory:
        show(core, "white", 0.05)
        yield from restore(core, layout.FACTORY_ADDRESS)
        flags.factory = layout.WORD_BLANK
        yield from finish(core, flags)
    elif modes.rollback:
        show(core, "red", 0.05)
        yield from restore(core, layout.BACKUP_ADDRESS)
        yield from finish(core, flags)
    elif not modes.dfu and (
        app_address == layout.INTERNAL_BASE or plausible_first_word(core.memory.internal.read(app_address, 4))
    ):
        yield Jump(app_address)
    show(core, "yellow", 0.1)
    core.attach(DfuFunction(core, flags))
    yield Idle()


def show(core: Core, colour: str, toggle_seconds: float) -> None:
    """Blink, and note it: the bootloader's colours tell what it does."""
    core.light(colour, toggle_seconds)
    core.event(colour)


def choose(core: Core, flags: SystemFlags, modes: Modes) -> int:
    """Set the modes from DR10 and the flags page; returns where a plain start would jump to.

    The application's address is only set when 0x5000 was found: otherwise it stays the bootloader's own (C3).
    """
    codes = (core.dr[10], flags.ota)
    if flags.factory == layout.FACTORY_REQUESTED:
        modes.factory = True
    if layout.OTA_RUN in codes:
        return layout.APP_ADDRESS
    if layout.OTA_READY in codes:
        modes.copy = True
    elif layout.OTA_COPYING in codes:
        modes.rollback = True
    else:
        modes.dfu = True
    return layout.INTERNAL_BASE


def check_health(core: Core, flags: SystemFlags, modes: Modes) -> Program:
    """The watchdog's part: what DR1 makes of a watchdog reset."""
    health = core.dr[1]
    if health == HEALTHY:
        core.dr[1] = 1
        return
    if "watchdog" not in core.causes:
        return
    modes.only()
    if health == 1:
        modes.rollback = True
        core.dr[1] = 2
    elif health == 2:
        modes.factory = True
        core.dr[1] = 3
    else:
        core.dr[1] = HEALTHY
        if health == 3:
            yield from erase_app(core)
            modes.dfu = True
    flags.flashed = 0
    yield from save(core, flags)
    core.causes.clear()


def watch_button(core: Core, flags: SystemFlags, modes: Modes) -> Program:
    """MODE held from reset: 3 s select DFU (unless it is selected already, C4), 10 s the factory image."""
    if not core.mode_held:
        return
    if (yield WhileModeHeld(MODE_DFU_SECONDS)):
        return
    if not modes.dfu:
        modes.only(dfu=True)
        show(core, "yellow", 0.1)
    if (yield WhileModeHeld(MODE_FACTORY_SECONDS - MODE_DFU_SECONDS)):
        return
    modes.only(factory=True)
    flags.nvmem = layout.NVMEM_WIPE_PROFILES


def save(core: Core, flags: SystemFlags) -> Program:
    """Erase the flags page, then program the five half-words in order; clears the controller's error flag first."""
    core.memory.internal.error = False
    yield Work(core.memory.internal.erasing(layout.FLAGS_ADDRESS))
    yield Work(core.memory.internal.programming(layout.FLAGS_ADDRESS, flags.pack()))


def backup(core: Core) -> Program:
    """Copy the application area to the backup slot."""
    yield Work(core.memory.external.erasing(layout.BACKUP_ADDRESS, layout.SLOT_SIZE // layout.EXTERNAL_SECTOR))
    app = core.memory.internal.read(layout.APP_ADDRESS, layout.APP_SIZE)
    yield Work(core.memory.external.programming(layout.BACKUP_ADDRESS, app))


def erase_app(core: Core) -> Program:
    """Erase the whole application area."""
    core.memory.internal.error = False
    yield Work(core.memory.internal.erasing(layout.APP_ADDRESS, layout.APP_PAGES))


def restore(core: Core, slot: int) -> Program:
    """Erase the application area and copy `slot` into it, always 108 KiB, whatever the slot holds (§2.5)."""
    yield from erase_app(core)
    image = core.memory.external.read(slot, layout.APP_SIZE)
    yield Work(core.memory.internal.programming(layout.APP_ADDRESS, image))


def finish(core: Core, flags: SystemFlags) -> Program:
    """Mark the application as the one to run, and reset."""
    flags.ota = layout.OTA_RUN
    yield from save(core, flags)
    core.dr[10] = layout.OTA_RUN
    yield Reset()
