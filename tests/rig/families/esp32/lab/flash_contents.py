"""Flash of an ESP32 with two slots, made for a test, and starts and cuts of it."""

from __future__ import annotations

from rig.families.esp32.formats import otadata
from rig.families.esp32.formats.boot import Erase, Program, Say, boot, boot_once, perform
from rig.families.esp32.formats.boot_config import BootConfig
from rig.families.esp32.formats.image import USUAL
from rig.families.esp32.formats.otadata import Record, State
from rig.families.esp32.formats.partition_table import LAYOUTS
from tests.rig.families.esp32.formats.recordings import esp_image

RECIPE = {"seed": "formats-A", "version": "1.0.0", "drom": 400, "irom": 100}
IMAGE = esp_image("esp32", RECIPE)
BLANK = Record(otadata.BLANK, otadata.BLANK, otadata.BLANK)
ROLLBACK = BootConfig(rollback=True)
TWO_SLOTS = LAYOUTS["arduino"]
#: Slot 0 runs.
RUNNING = Record.of(1, State.VALID)


def reader(data: bytes):
    return lambda offset, length: bytes(data[offset : offset + length])


def flash(records=(BLANK, BLANK), slots=(IMAGE, IMAGE), layout=TWO_SLOTS, factory=b"", test=b"") -> bytearray:
    """4 MiB with a table, records and images in the slots."""
    contents = bytearray(b"\xff") * 0x40_0000
    put(contents, 0x8000, layout.pack())
    for number, record in enumerate(records):
        put(contents, layout.otadata.offset + number * otadata.SECTOR, record.pack())
    for number, data in enumerate(slots):
        put(contents, layout.slot(number).offset, data)
    for partition, data in ((layout.factory, factory), (layout.test, test)):
        if data:
            put(contents, partition.offset, data)
    return contents


def put(contents: bytearray, offset: int, data: bytes) -> None:
    contents[offset : offset + len(data)] = data


def start(contents: bytearray, config: BootConfig = ROLLBACK) -> str | None:
    return boot_once(contents, config).booted


def records_of(contents: bytearray, layout=TWO_SLOTS):
    return otadata.read_records(bytes(contents[layout.otadata.offset :][: otadata.SIZE]))


def cut_start(contents: bytearray, operations: int, config: BootConfig = ROLLBACK) -> None:
    """Start and lose power after so many flash operations."""
    for step in boot(reader(contents), config):
        if isinstance(step, Say):
            continue
        if operations == 0:
            return
        perform(contents, step)
        operations -= 1
    raise AssertionError("the start did fewer operations than that")


def write(contents: bytearray, rewrite: otadata.Rewrite, done: str = "written") -> None:
    """Do a rewrite as an application does: all of it, or only its erase, or all but the end of its program."""
    address = TWO_SLOTS.otadata.offset + rewrite.sector * otadata.SECTOR
    raw = rewrite.record.pack()
    kept = {"erased": 0, "seq only": 4, "crc torn": 30, "written": 32}[done]
    perform(contents, Erase(address))
    perform(contents, Program(address, raw[:kept]))


def chosen(state: int) -> otadata.Rewrite:
    """What choosing slot 1 then writes."""
    return otadata.choose_slot((RUNNING, BLANK), 1, 2, state, USUAL)
