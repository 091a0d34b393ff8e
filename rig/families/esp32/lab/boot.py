"""One start of an ESP32 from a file of its flash, told in the words of the boot vectors."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

from rig.errors import Misuse
from rig.families.esp32.formats.boot import boot_once
from rig.families.esp32.formats.boot_config import GENUINE
from rig.families.esp32.formats.header import HEADER_SIZE
from rig.families.esp32.formats.idf import Idf
from rig.families.esp32.formats.partition_table import APP, TABLE_OFFSET, TABLE_SIZE, PartitionTable, TableRefused
from rig.families.esp32.formats.second_stage import SecondStage
from rig.files import MOST_IMAGE, read_user_file, write_user_file

_SECTOR = 0x1000
_SMALLEST, _LARGEST = 0x1_0000, 0x100_0000
_LAST_REVISION = 0xFFFF


def boot_flash(
    flash: Path,
    *,
    rollback: bool = False,
    chip: str | None = None,
    revision: int | None = None,
    idf: str | None = None,
    out: Path | None = None,
) -> dict[str, Any]:
    """Start once from the contents of file `flash`; returns `booted` (a label or None), `end`, `console` and
    `otadata` (hex).

    `chip` is the one its images are linked for when none is named, `revision` its revision as major*100+minor. A second
    stage in the file says for how much flash it is, and which ESP-IDF it is of unless `idf` does; where there is none,
    all of the file counts. With `out`, flash afterwards is written there. Raises Misuse for a file that cannot be a
    flash, or cannot be written.
    """
    contents = _read(flash)
    name = chip or _linked_for(contents)
    if name not in GENUINE:
        raise Misuse(f"no chip is called {name!r}", hint=f"one of {', '.join(GENUINE)}")
    build = replace(GENUINE[name], rollback=rollback, flash_size=len(contents))
    stage = SecondStage.read(lambda offset, length: bytes(contents[offset : offset + length]))
    if stage is not None:
        build = stage.config(build)
    if idf is not None:
        build = replace(build, release=Idf.parse(idf), version=f"v{idf.removeprefix('v')}")
    if revision is not None:
        if not 0 <= revision < _LAST_REVISION:
            raise Misuse(f"chip revision {revision} is not major*100+minor", hint="300 is v3.0")
        build = replace(build, chip=replace(build.chip, revision=revision))
    result = boot_once(contents, build)
    if out is not None:
        write_user_file(out, bytes(contents))
    return {
        "booted": result.booted,
        "end": result.end,
        "console": result.console,
        "otadata": [record.hex() for record in result.otadata],
    }


def _read(path: Path) -> bytearray:
    contents = bytearray(read_user_file(path, MOST_IMAGE))
    size = len(contents)
    if not _SMALLEST <= size <= _LARGEST or size % _SECTOR:
        hint = "the whole flash from offset 0, 64 KiB to 16 MiB in sectors of 4 KiB; 4194304 bytes are usual"
        raise Misuse(f"{path} is {size} bytes, no contents of an ESP32's flash", hint=hint)
    return contents


def _linked_for(contents: bytearray) -> str:
    """The chip whose memory map most images in app partitions are linked for; an ESP32 where nothing tells."""
    try:
        table = PartitionTable.parse(bytes(contents[TABLE_OFFSET : TABLE_OFFSET + TABLE_SIZE]), len(contents))
    except TableRefused:
        return "esp32"
    votes = Counter({"esp32": 0})
    for row in table.rows:
        if row.type == APP:
            start = row.offset + HEADER_SIZE
            address = int.from_bytes(contents[start : start + 4], "little")
            votes.update(name for name, build in GENUINE.items() if build.chip.maps(address))
    return votes.most_common(1)[0][0]
