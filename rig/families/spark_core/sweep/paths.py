"""What a Core does to its flash on each update path, performed once in memory with the code that drives boards."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from rig.drivers.dfu_host import DfuHost, EraseOrder
from rig.errors import LabFault
from rig.families.spark_core.formats import flash as layout
from rig.families.spark_core.formats.flash import SystemFlags
from rig.families.spark_core.sweep import deep_update
from rig.families.spark_core.sweep.cloud_in_memory import CloudInMemory, keys_in_flash
from rig.families.spark_core.sweep.kept_registers import REGISTER
from rig.families.spark_core.sweep.start import ColdStart, into_dfu
from rig.families.spark_core.sweep.usb_in_memory import UsbInMemory
from rig.families.spark_core.twin.boot_once import CAUSES, settle
from rig.families.spark_core.twin.core import Core
from rig.families.spark_core.twin.flash_contents import FACTORY_WANTED, OTA_WAITS, RUNNING, shipped
from rig.families.spark_core.twin.memory import CoreMemory
from rig.families.spark_core.twin.radio import Eeprom, Radio, factory_mac
from rig.firmware.manifest import Image
from rig.twin.flash import Run

Images = Mapping[str, Image]
#: Versions of system firmware that store an update each in another way; the usual one comes first.
FAST = ("0.4.4", "0.4.0", "0.4.9")
SLOW = ("0.2.1", "0.2.0", "0.2.2", "0.3.0", "0.3.4", *FAST)


@dataclass(frozen=True, slots=True)
class CorePath:
    """One path: flash that it finds, and what works on it from a board without power to the end of the update.

    `systems` are versions of system firmware that do it each in another way; without any, only the bootloader matters.
    `starts` is how a board starts after a cut.
    """

    title: str
    before: Callable[[Images], CoreMemory]
    work: Callable[[Core, Images], None]
    systems: tuple[str, ...] = ()
    starts: type[ColdStart] = ColdStart


def cold_start(core: Core, _images: Images) -> None:
    """The bootloader does by itself what flags ask for."""
    core.power_on(0)
    settle(core)


def after_watchdog(core: Core, _images: Images) -> None:
    """A start after the first crash of an application that never was healthy."""
    core.power_on(0, causes=CAUSES["watchdog"])
    core.dr[1] = 1
    settle(core)


def factory_button(core: Core, _images: Images) -> None:
    """MODE held for more than ten seconds from power-on."""
    core.mode_held = True
    core.power_on(0)
    settle(core, hold_ms=11_000)


def over_dfu(
    what: Callable[[Images], tuple[int, bytes]], order: EraseOrder = EraseOrder.ALL_FIRST, *, leaves: bool
) -> Callable[[Core, Images], None]:
    """Write something by our DFU host, and let the board run where it `leaves`."""

    def work(core: Core, images: Images) -> None:
        address, data = what(images)
        device = UsbInMemory(into_dfu(core))
        with contextlib.suppress(LabFault), DfuHost(device, sleep=device.sleep) as host:
            host.write(address, data, order)
            if leaves:
                host.leave(address)
        settle(core)

    return work


def over_the_air(*, fast: bool) -> Callable[[Core, Images], None]:
    """Come online, take the new application from the cloud, copy it, and come online with it."""

    def work(core: Core, images: Images) -> None:
        core.radio = Radio(Eeprom(profiles=["sweep"], mac=factory_mac(core.uid)))
        CloudInMemory(images["new"].data, fast=fast).update(core)

    return work


def _new_application(images: Images) -> tuple[int, bytes]:
    return layout.APP_ADDRESS, images["new"].data


def _factory_image(images: Images) -> tuple[int, bytes]:
    return layout.FACTORY_ADDRESS, images["new"].data


def _server_key(images: Images) -> tuple[int, bytes]:
    """A sector's worth of something that is not there yet."""
    return layout.SERVER_KEY_ADDRESS, images["new"].data[:512]


def _online(images: Images) -> CoreMemory:
    return shipped(images, RUNNING, keys_in_flash())


def _shipped(flags: SystemFlags, *, waiting: bool = False) -> Callable[[Images], CoreMemory]:
    return lambda images: shipped(images, flags, {layout.OTA_ADDRESS: images["new"].data} if waiting else None)


CORE_SWEEPS: dict[str, CorePath] = {
    "cloud": CorePath(
        "a new application from the cloud, from power-on until it is online", _online, over_the_air(fast=False), SLOW
    ),
    "cloud-fast": CorePath("the same as a fast update", _online, over_the_air(fast=True), FAST),
    "ota-copy": CorePath("the bootloader copies a downloaded update", _shipped(OTA_WAITS, waiting=True), cold_start),
    "dfu": CorePath(
        "a new application over DFU, every page erased first",
        _shipped(RUNNING),
        over_dfu(_new_application, EraseOrder.ALL_FIRST, leaves=True),
    ),
    "dfu-interleaved": CorePath(
        "a new application over DFU, each page erased before it is written",
        _shipped(RUNNING),
        over_dfu(_new_application, EraseOrder.INTERLEAVED, leaves=True),
    ),
    "server-key": CorePath("the server's key over DFU", _shipped(RUNNING), over_dfu(_server_key, leaves=False)),
    "factory-image": CorePath("the factory image over DFU", _shipped(RUNNING), over_dfu(_factory_image, leaves=False)),
    "factory-button": CorePath("a factory reset by the button", _shipped(RUNNING), factory_button),
    "factory-reset": CorePath("a factory reset by firmware", _shipped(FACTORY_WANTED), cold_start),
    "deep-update": CorePath(
        "an application rewrites its radio's EEPROM", deep_update.before, deep_update.work, starts=deep_update.DeepStart
    ),
    "rollback": CorePath("the watchdog brings the backup back", _shipped(RUNNING), after_watchdog),
}


def phase_of(run: Run) -> str:
    """What a run of operations does, by where it works."""
    if run.kind in ("xerase", "xprog", "xbyte"):
        slot = {layout.FACTORY_ADDRESS: "factory-slot", layout.BACKUP_ADDRESS: "backup", layout.OTA_ADDRESS: "download"}
        return next((slot[at] for at in slot if at <= run.address < at + layout.SLOT_SIZE), "external")
    if run.kind == REGISTER:
        return "registers"
    if run.kind.startswith(deep_update.EEPROM):
        return run.kind.removeprefix(deep_update.EEPROM)
    if run.address < layout.APP_ADDRESS:
        return "flags"
    return "erase" if run.kind == "erase" else "program"
