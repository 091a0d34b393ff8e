"""Named checks of test_mutants about the boot choice of an ESP32: which application starts after which cut."""

from __future__ import annotations

from dataclasses import replace

from rig.families.esp32.formats import otadata
from rig.families.esp32.formats.boot import Erase, Program, boot_once, perform
from rig.families.esp32.formats.otadata import Record, State
from rig.families.esp32.formats.partition_table import LAYOUTS
from tests.rig.families.esp32.formats.recordings import esp_image
from tests.rig.families.esp32.lab.flash_contents import (
    BLANK,
    IMAGE,
    RECIPE,
    ROLLBACK,
    RUNNING,
    TWO_SLOTS,
    chosen,
    cut_start,
    flash,
    records_of,
    start,
    write,
)

# -- cuts that concern the choice: slot 0 runs, slot 1 was just written


def row_5_nothing_written_is_old(_folder):
    contents = flash((RUNNING, BLANK))
    write(contents, chosen(State.NEW), "erased")
    assert start(contents) == "app0"


def row_6_a_torn_record_is_old(_folder):
    for done in ("seq only", "crc torn"):
        contents = flash((RUNNING, BLANK))
        write(contents, chosen(State.NEW), done)
        assert start(contents) == "app0"


def row_7_a_wrong_state_is_new_and_unmonitored(_folder):
    contents = flash((RUNNING, Record.of(2, 0x12FF)))
    assert [start(contents) for _ in range(3)] == ["app1"] * 3


def row_9_a_lost_pending_record_is_old(_folder):
    contents = flash((RUNNING, chosen(State.NEW).record))
    cut_start(contents, 1)
    assert records_of(contents)[1] == BLANK
    assert start(contents) == "app0"


def row_13_a_lost_aborted_record_is_old_without_a_trace(_folder):
    contents = flash((RUNNING, replace(chosen(State.NEW).record, state=State.PENDING_VERIFY)))
    cut_start(contents, 1)
    assert start(contents) == "app0"
    assert records_of(contents)[1] == BLANK


def row_14_without_records_factory_or_slot_0_first(_folder):
    layout = LAYOUTS["two_ota"]
    assert start(flash(layout=layout, factory=IMAGE)) == "factory"
    assert start(flash(slots=(b"", IMAGE))) == "app1"
    contents = flash()
    assert start(contents) == "app0"
    assert records_of(contents)[0] == Record.of(1, State.VALID)


def row_15_a_stale_record_decides_between_the_two_erases(_folder):
    layout = LAYOUTS["two_ota"]
    contents = flash((RUNNING, Record.of(2, State.VALID)), layout=layout, factory=IMAGE)
    perform(contents, Erase(layout.otadata.offset + otadata.SECTOR))
    assert start(contents) == "ota_0"
    perform(contents, Erase(layout.otadata.offset))
    assert start(contents) == "factory"


def an_unconfirmed_image_is_given_up(_folder):
    contents = flash((RUNNING, chosen(State.NEW).record))
    assert start(contents) == "app1"
    assert start(contents) == "app0"
    assert records_of(contents)[1].state == State.ABORTED
    assert start(contents) == "app0"


def a_broken_slot_falls_back_downwards_first(_folder):
    layout = LAYOUTS["two_ota"]
    contents = flash((RUNNING, BLANK), slots=(b"", IMAGE), layout=layout, factory=IMAGE)
    assert start(contents) == "factory"


def a_record_is_rewritten_after_an_erase(_folder):
    contents = flash((RUNNING, chosen(State.NEW).record))
    ops = boot_once(contents, ROLLBACK).ops
    address = TWO_SLOTS.otadata.offset + otadata.SECTOR
    assert [type(op) for op in ops] == [Erase, Program]
    assert {op.address for op in ops} == {address}


def pending_is_given_up_before_its_crc_is_looked_at(_folder):
    contents = flash((RUNNING, Record(2, State.PENDING_VERIFY, 0)))
    assert start(contents) == "app0"
    assert records_of(contents)[1] == Record(2, State.ABORTED, 0)


def an_image_without_digest_is_held_to_its_checksum(_folder):
    wrong = esp_image("esp32", RECIPE, hash=0, checksum_xor=1)
    assert start(flash((RUNNING, BLANK), slots=(wrong, IMAGE))) == "app1"


def a_damaged_image_is_not_started(_folder):
    # Two bytes whose damage the checksum does not see.
    damaged = bytearray(IMAGE)
    damaged[400] ^= 1
    damaged[401] ^= 1
    assert start(flash((RUNNING, BLANK), slots=(damaged, IMAGE))) == "app1"
