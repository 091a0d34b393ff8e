"""What a sweep of an ESP32 works with: images as they behave when they are built in a chosen way, and flash of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from rig.errors import Misuse
from rig.families.esp32.boards.golden import GoldenSet, golden_set
from rig.families.esp32.firmware.behaviour import EspBehaviour
from rig.families.esp32.firmware.details import behaviour_of, with_behaviour
from rig.families.esp32.formats.otadata import SECTOR, Record
from rig.families.esp32.formats.partition_table import APP, Partition, PartitionTable
from rig.families.esp32.sweep.start import ColdStart
from rig.families.esp32.twin.memory import Esp32Memory
from rig.firmware.manifest import Image
from rig.firmware.roles import OUTCOME_ROLES

URL = "https://updates.rig.test/app.bin"
#: How firmware can be built, and what lies in the other slot when a board is written over its serial port; the usual
#: way first. What does not matter to a path is as usual.
CHOICES: dict[str, tuple[str, ...]] = {
    "client": ("https-ota", "arduino"),
    "rollback": ("yes", "no"),
    "idf": ("5.5", "5.4", "5.1", "4.4"),
    "other": ("previous", "blank"),
}


@dataclass(frozen=True, slots=True)
class Built:
    """Images by role, the set of them that a board is shipped with, and how such boards start."""

    choices: Mapping[str, str]
    images: Mapping[str, Image]
    golden: GoldenSet
    start: ColdStart

    @classmethod
    def of(cls, choices: Mapping[str, str], images: Mapping[str, Image]) -> Built:
        """For choices of CHOICES; those that are left out are the usual ones. Raises Misuse."""
        chosen = {name: choices.get(name, values[0]) for name, values in CHOICES.items()}
        bootloader = "bootloader" if chosen["rollback"] == "yes" else "plain_bootloader"
        built = {role: _behaves(image, chosen) for role, image in images.items() if role in OUTCOME_ROLES}
        roles = {**images, **built, "bootloader": images[bootloader]}
        golden = golden_set(roles)
        if "factory" in roles:
            golden = replace(golden, factory=roles["factory"].data)
        for image in built.values():
            _check_room(image, golden.table)
        return cls(chosen, roles, golden, ColdStart.of(roles))

    @property
    def table(self) -> PartitionTable:
        """Where everything lies."""
        return self.golden.table

    @property
    def otadata(self) -> Partition:
        """Where records lie."""
        where = self.table.otadata
        assert where is not None, "a golden set has otadata"
        return where

    def slot(self, number: int) -> Partition:
        """An OTA slot."""
        found = self.table.slot(number)
        assert found is not None, "a golden set has two slots"
        return found

    def behaviour(self, role: str) -> EspBehaviour:
        """How the application of a role was built."""
        return behaviour_of(self.images[role]) or EspBehaviour()

    def flash(self, records: Mapping[int, Record], slots: Mapping[int, bytes]) -> Esp32Memory:
        """The golden set, with these records by sector and this in slots by number; the old one in the first."""
        laid = dict(self.golden.parts())
        laid |= {self.otadata.offset + sector * SECTOR: record.pack() for sector, record in records.items()}
        laid |= {self.slot(number).offset: data for number, data in slots.items()}
        return memory_with(laid)


def memory_with(laid: Mapping[int, bytes]) -> Esp32Memory:
    """Flash that holds this, by address, and nothing else."""
    memory = Esp32Memory()
    contents = bytearray(b"\xff" * memory.size)
    for address, data in laid.items():
        contents[address : address + len(data)] = data
    memory.flash.load(bytes(contents))
    return memory


def _check_room(image: Image, table: PartitionTable) -> None:
    room = min(row.size for row in table.rows if row.type == APP)
    if len(image) > room:
        raise Misuse(f"{image.name} has {len(image):,} bytes, and there is room for {room:,}", hint="another table?")


def _behaves(image: Image, chosen: Mapping[str, str]) -> Image:
    known = behaviour_of(image) or EspBehaviour()
    fields = {"url": known.url or URL, "pins": known.pins or ("rig-root",), "confirms": known.confirms}
    fields |= {"client": chosen["client"], "rollback": chosen["rollback"] == "yes", "idf": chosen["idf"]}
    return with_behaviour(image, EspBehaviour.model_validate(fields))
