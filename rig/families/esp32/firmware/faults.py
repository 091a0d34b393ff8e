"""What is wrong with images for ESP32s before any board is touched: a file, its pins, how a role set fits together."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

from rig.families.esp32.firmware.bootloader import flash_size_of
from rig.families.esp32.firmware.details import behaviour_of
from rig.families.esp32.firmware.identification import CHIP, SECOND_STAGE, TABLE
from rig.families.esp32.firmware.refusal import no_application, no_second_stage
from rig.families.esp32.formats.partition_table import TABLE_OFFSET, PartitionTable, TableRefused
from rig.families.esp32.formats.second_stage import BOOTLOADER_OFFSET
from rig.firmware.faults import Fault
from rig.firmware.identification import APPLICATION, Identification, one
from rig.firmware.manifest import Image
from rig.firmware.roles import TO_BE_REFUSED
from rig.firmware.server_trust import BUNDLE

#: Parts that only second stages play, and only partition tables.
STAGES = frozenset({"bootloader", "plain_bootloader"})
TABLES = frozenset({"table", "other_table", "table_2mb", "table_8mb", "table_16mb"})
_STAGE_ROOM = TABLE_OFFSET - BOOTLOADER_OFFSET


def fault_of_file(image: Image, identified: Identification, roles: set[str]) -> Fault | None:
    """What is wrong with an image that plays these parts."""
    wanted = SECOND_STAGE if roles & STAGES else TABLE if roles & TABLES else APPLICATION
    if identified.chip not in (None, CHIP):
        return Fault(image.name, f"it is for {identified.chip}, not for an ESP32")
    if identified.what != wanted:
        part = " ".join(["its part", *sorted(roles & (STAGES | TABLES))[:1]])
        return Fault(image.name, f"it is {identified.with_article}, and {part} needs {one(wanted)}")
    if wanted == SECOND_STAGE and len(image) > _STAGE_ROOM:
        return Fault(image.name, f"{len(image):,} bytes, and below the table is room for {_STAGE_ROOM:,}")
    refused = {APPLICATION: no_application, SECOND_STAGE: no_second_stage}.get(wanted, lambda _data: None)(image.data)
    return Fault(image.name, f"no ESP32 would start it: {refused}") if refused else None


def fault_of_pins(image: Image, authorities: Collection[str]) -> Fault | None:
    """What is wrong with the certificates that it pins, where servers have those of these names."""
    there_are = {BUNDLE, *authorities}
    behaviour = behaviour_of(image)
    lost = [pin for pin in (behaviour.pins if behaviour is not None else ()) if pin not in there_are]
    if not lost:
        return None
    what = f"it pins {lost[0]!r}, and no update server here has a certificate of that name"
    return Fault(image.name, what, f"names are {', '.join(sorted(there_are))}")


def faults_of_roles(roles: Mapping[str, Image], where: str) -> Iterator[Fault]:
    """What is wrong with images that are each right: versions that nobody can tell apart, slots that are too small."""
    old, new = roles["old"], roles["new"]
    if old.version == new.version and old.sha256 != new.sha256:
        hint = "a board tells its version only: build one of them with another"
        yield Fault(where, f"old and new are both version {old.version}", hint)
    yield from _of_the_flash(roles, where)


def room(roles: Mapping[str, Image]) -> int | None:
    """Bytes that an application may have in this role set: the smaller slot; None where no table tells."""
    try:
        table = PartitionTable.parse(roles["table"].data, flash_size_of(roles["bootloader"].data))
    except (KeyError, TableRefused):
        return None
    return min((row.size for row in table.rows if row.slot is not None), default=None)


def _of_the_flash(roles: Mapping[str, Image], where: str) -> Iterator[Fault]:
    if lacking := {"bootloader", "table"} - set(roles):
        yield Fault(where, f"it has no {min(lacking)}")
        return
    stage, table = roles["bootloader"], roles["table"]
    size = flash_size_of(stage.data)
    try:
        rows = PartitionTable.parse(table.data, size)
    except TableRefused as error:
        hint = "a table for less flash, or a second stage for more"
        yield Fault(table.name, f"{stage.name} is for {size >> 20} MB of flash and refuses it: {error}", hint)
        return
    slots = [row for row in rows.rows if row.slot is not None]
    if len(slots) < 2 or rows.otadata is None:
        yield Fault(table.name, "updates need two OTA slots and otadata", "a table for updates over the air")
        return
    least = min(slots, key=lambda row: row.size)
    seen = set()
    for role, image in roles.items():
        is_application = role not in (*STAGES, *TABLES, *TO_BE_REFUSED, "full")
        if is_application and len(image) > least.size and image.name not in seen:
            seen.add(image.name)
            over = len(image) - least.size
            yield Fault(image.name, f"{len(image):,} bytes are {over:,} more than {least.label} of {table.name} has")
