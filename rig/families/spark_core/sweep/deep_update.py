"""A deep update on the model: an application that rewrites its radio's EEPROM, which is one more memory to a sweep.

What the EEPROM holds is one page, and each change of it one operation: files that are half written are states of their
own (reference §8).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace

from rig.errors import LabFault, Misuse
from rig.families.spark_core.sweep.start import ColdStart
from rig.families.spark_core.sweep.written_over import WrittenOver
from rig.families.spark_core.twin.app.deep_update import (
    DRIVER_SECONDS,
    FIRMWARE_SECONDS,
    SMALL_FILE_SECONDS,
    START_SECONDS,
    TABLE_SECONDS,
)
from rig.families.spark_core.twin.boot_once import settle
from rig.families.spark_core.twin.core import Core
from rig.families.spark_core.twin.flash_contents import shipped
from rig.families.spark_core.twin.memory import CoreMemory
from rig.families.spark_core.twin.radio import HALF, NONE, Eeprom, Radio
from rig.firmware.manifest import Image
from rig.sweep.scenario import Settled
from rig.twin.memory import Memory
from rig.twin.tcp import Link

ROLE = "deep_update"
#: Where no other memory of a Core is, and how many bytes the state takes at the most.
ADDRESS, SIZE = 0x9000_0000, 512
#: What a radio has that nobody has touched; neither is what a patcher would make up.
SHIPPED = Eeprom(profiles=["sweep"], mac="00:12:4b:00:00:01")
#: A change of the EEPROM is called after what is unfinished before it, and takes as long as that does.
EEPROM = "eeprom-"
SECONDS = {
    "table": TABLE_SECONDS,
    "calibration": SMALL_FILE_SECONDS,
    "address": SMALL_FILE_SECONDS,
    "driver": DRIVER_SECONDS,
    "firmware": FIRMWARE_SECONDS,
    "radio": START_SECONDS,
}
PATCHED, FILES_LOST, RADIO_LOST = "patched", "own-files-lost", "radio-lost"
#: More than any start takes.
MOST_STEPS = 5_000


class DeepMemory(CoreMemory):
    """A Core's memories, its radio's EEPROM among them."""

    def __init__(self) -> None:
        super().__init__()
        self.eeprom = WrittenOver(base=ADDRESS, page=SIZE, pages=1, kind=EEPROM)
        self.nors = [self.internal, self.external, self.eeprom]
        self.seconds = {**self.seconds, **{EEPROM + name: seconds for name, seconds in SECONDS.items()}}
        self.eeprom.pages[0] = _written(SHIPPED)

    def radio(self) -> Radio:
        """The radio with this EEPROM; what it changes is an operation."""
        held = self.eeprom.read(ADDRESS, SIZE)
        radio = Radio(Eeprom(**json.loads(held)))

        def changed() -> None:
            nonlocal held
            if (page := _written(radio.eeprom)) != held:
                kind = EEPROM + unfinished(Eeprom(**json.loads(held)))
                run, held = replace(self.eeprom.programming(ADDRESS, page), kind=kind), page
                self.perform(self.enter(run), 0, 1)

        radio.on_change = changed
        return radio


@dataclass(frozen=True, slots=True)
class DeepStart(ColdStart):
    """Starts Cores whose application patches its radio; follows them until they are online, listen, or are stuck."""

    def core(self, memory: Memory) -> Core:
        """A Core without power."""
        assert isinstance(memory, DeepMemory), "it has a radio's EEPROM"
        core = ColdStart.core(self, memory)
        core.radio = memory.radio()
        return core

    def __call__(self, memory: Memory) -> Settled:
        """What became of the radio; a Core whose application does not even start is told as by other paths."""
        core = self.core(memory)
        core.power_on(0)
        became = settle(core)
        if became != "app":
            return Settled(became, "reflash")
        follow(core)
        return radio_of(core)


def follow(core: Core) -> None:
    """Let a Core run until its application waits for its network or for a hand. Raises LabFault where it never does."""
    for _ in range(MOST_STEPS):
        if core.console.open or core.radio.link is not Link.CLOSED or not core.step():
            return
    raise LabFault(f"a deep update does not end: {core.events[-1].name} came last")


def radio_of(core: Core) -> Settled:
    """What became of a radio: nothing brings back one that cannot start or join, nor what it had of its own."""
    eeprom = core.radio.eeprom
    if not eeprom.starts or not (eeprom.table and eeprom.mac):
        return Settled(RADIO_LOST, "none")
    if (eeprom.mac, eeprom.calibration) != (SHIPPED.mac, SHIPPED.calibration):
        return Settled(FILES_LOST, "self")
    return Settled(PATCHED if eeprom.version != SHIPPED.version else "old", "self")


def before(images: Mapping[str, Image]) -> CoreMemory:
    """A Core whose application is the one that patches, and a radio as it was shipped. Raises Misuse without one."""
    if ROLE not in images:
        raise Misuse(f"this path needs an image that plays {ROLE}", hint="name it in the manifest")
    flash, memory = shipped({**images, "old": images[ROLE]}), DeepMemory()
    memory.internal.take_over(flash.internal)
    memory.external.take_over(flash.external)
    return memory


def work(core: Core, _images: Mapping[str, Image]) -> None:
    """From power-on until it listens for a new network."""
    core.power_on(core.time)
    settle(core)
    follow(core)


def unfinished(eeprom: Eeprom) -> str:
    """What of an EEPROM is being written; `radio` where everything is whole."""
    lacking = {
        "table": not eeprom.table,
        "calibration": eeprom.calibration == NONE,
        "address": eeprom.mac is None,
        "driver": eeprom.driver_patch == HALF,
        "firmware": eeprom.firmware_patch == HALF,
    }
    return next((name for name, is_lacking in lacking.items() if is_lacking), "radio")


def _written(eeprom: Eeprom) -> bytes:
    return json.dumps(eeprom.as_dict(), sort_keys=True).encode().ljust(SIZE)
