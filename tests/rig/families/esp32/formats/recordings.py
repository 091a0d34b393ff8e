"""Recorded starts of genuine ESP32 bootloaders: how their recipes become flash, and how they are told again."""

from __future__ import annotations

import hashlib
import struct
from dataclasses import replace
from functools import cache
from typing import Any

from rig.families.esp32.formats.boot import BootResult
from rig.families.esp32.formats.boot_config import GENUINE, BootConfig
from rig.families.esp32.formats.idf import Idf
from rig.families.esp32.formats.partition_table import APP, DATA, NVS, OTADATA, TABLE_OFFSET, Partition, PartitionTable
from tests.rig.families.spark_core.twin.recordings import load, stream

FLASH = 0x40_0000
#: Addresses of DROM, DRAM, IRAM and IROM, and the code word (vectors/boot/README.md, "ESP image").
SHAPES = {
    "esp32c3": (0x3C00_0020, 0x3FC9_0000, 0x4038_0000, 0x4201_0020, 0x6F),
    "esp32": (0x3F40_0020, 0x3FFB_0000, 0x4008_0000, 0x400D_0020, 0xFFFF06),
}
#: What the recorded bootloaders were.
BUILDS = {
    "esp32_norollback": GENUINE["esp32"],
    "esp32c3_rollback": GENUINE["esp32c3"],
    "esp32c3_cuts": GENUINE["esp32c3"],
}
#: What is not said in a recording of how its second stage was built.
OPTIONS: dict[str, dict[str, Any]] = {
    "esp32_rollback": {"rollback": True, "log_level": "error"},
    "esp32_rollback_cuts": {"rollback": True, "log_level": "error"},
    "esp32_v5_5": {},
}


def build(recording: str) -> BootConfig:
    """The second stage of a recording, on its chip."""
    if recording in BUILDS:
        return BUILDS[recording]
    fields, usual = recorded(recording)["build"], GENUINE["esp32"]
    return replace(
        usual,
        chip=replace(usual.chip, revision=fields["chip_revision"]),
        flash_size=fields["flash_size"],
        release=Idf.parse(fields["idf"]),
        version=fields["idf"],
        **OPTIONS[recording],
    )


def recorded(name: str) -> dict[str, Any]:
    return load(f"boot/{name}.json.gz")


def esp_image(chip: str, recipe: dict[str, Any], **header: int) -> bytes:
    """The image of a recipe, with fields of its header overridden."""
    drom, dram, iram, irom, code = SHAPES[chip]
    seed = recipe["seed"]
    fields = {"hash": 1, "magic": 0xE9, "segments": 5, "min_rev": 0, "max_rev": 65535, "checksum_xor": 0}
    fields |= {"chip_id": 5 if chip == "esp32c3" else 0} | header
    start = [fields["magic"], fields["segments"], 2, 0x20, iram, 0xEE, fields["chip_id"], 0]
    image = struct.pack("<BBBBIB3xHBHH4xB", *start, fields["min_rev"], fields["max_rev"], fields["hash"])
    checksum = 0xEF ^ fields["checksum_xor"]
    texts = (recipe["version"], "twin", "00:00:00", "Jan  1 2026", "synthetic")
    described = struct.pack("<I12x32s32s16s16s32s", 0xABCD5432, *(text.encode() for text in texts))
    described = (described + hashlib.sha256(seed.encode()).digest()).ljust(256, b"\0")
    parts = [(drom, described + stream(f"{seed}/drom", recipe["drom"])), (dram, stream(f"{seed}/dram", 64))]
    parts += [(iram, struct.pack("<I", code) * 4 + stream(f"{seed}/iram", 240)), (0, None)]
    for address, data in [*parts, (irom, stream(f"{seed}/irom", recipe["irom"]))]:
        data = bytes((0x20 - len(image) - 16) % 65536) if data is None else data
        image += struct.pack("<II", address, len(data)) + data
        for byte in data:
            checksum ^= byte
    image += bytes((15 - len(image)) % 16) + bytes([checksum])
    return image + hashlib.sha256(image).digest() if fields["hash"] else image


@cache
def _image(name: str, recording: str, header: tuple[tuple[str, int], ...]) -> bytes:
    vectors = recorded(recording)
    return esp_image(vectors["chip"], vectors["images"][name], **dict(header))


def slot_contents(recording: str, slot: dict[str, Any] | None) -> bytes:
    """What lies in a slot, from its start."""
    if slot is None:
        return b""
    if "fill" in slot:
        return bytes([slot["fill"]]) * 4096
    data = bytearray(_image(slot["image"], recording, tuple(slot.get("header", {}).items())))
    for kind, at, *more in slot.get("damage", []):
        if kind == "xor":
            data[at] ^= more[0]
        elif kind == "cut":
            del data[at:]
        else:
            fill = b"\xff" if kind == "erase" else b"\0"
            data[at : at + more[0]] = fill * len(data[at : at + more[0]])
    assert hashlib.sha256(data).hexdigest() == slot["sha256"]
    return bytes(data)


def layout(shape: dict[str, Any]) -> PartitionTable:
    """The partition table of a recorded layout."""
    nvs = Partition("nvs", DATA, NVS, 0x9000, shape["otadata"] - 0x9000)
    records = Partition("otadata", DATA, OTADATA, shape["otadata"], 0x2000)
    apps = [Partition(label, APP, subtype, offset, size) for label, subtype, offset, size in shape["apps"]]
    return PartitionTable((nvs, records, *apps))


def boot_flash(recording: str, case: dict[str, Any]) -> bytearray:
    """4 MiB at the start of a vector."""
    table = layout(recorded(recording)["layouts"][case["layout"]])
    flash = bytearray(b"\xff") * FLASH
    flash[TABLE_OFFSET : TABLE_OFFSET + 0xC00] = table.pack()
    put_records(flash, table, case["otadata"])
    for row in table.rows:
        data = slot_contents(recording, case["slots"].get(row.label))
        flash[row.offset : row.offset + len(data)] = data
    return flash


def put_records(flash: bytearray, table: PartitionTable, records: list[str]) -> None:
    assert table.otadata is not None
    for at, record in zip((0, 0x1000), records, strict=True):
        flash[table.otadata.offset + at : table.otadata.offset + at + 32] = bytes.fromhex(record)


def told(result: BootResult) -> dict[str, Any]:
    """A start in the words of the recordings."""
    return {
        "slot": result.booted,
        "end": result.end,
        "otadata": [record.hex() for record in result.otadata],
        "flash_ops": [list(op) for op in map(operation, result.ops)],
        "console": result.console,
    }


def operation(step: Any) -> tuple[Any, ...]:
    data = getattr(step, "data", None)
    return ("erase", step.address) if data is None else ("program", step.address, len(data))
