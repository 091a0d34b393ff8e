"""The boot choice of an ESP32: where power is cut, and faults planted into it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from esp_flash import (
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
from esp_recordings import esp_image

from rig.formats import esp_boot, otadata
from rig.formats import esp_image as esp_image_format
from rig.formats.esp_boot import Erase, Program, boot_once, perform
from rig.formats.esp_boot_config import BootConfig
from rig.formats.otadata import Record, State
from rig.formats.partition_table import LAYOUTS

# -- cuts that concern the choice (reference/esp32.md §4.2): slot 0 runs, slot 1 was just written


def check_row_5_nothing_written_is_old():
    contents = flash((RUNNING, BLANK))
    write(contents, chosen(State.NEW), "erased")
    assert start(contents) == "app0"


def check_row_6_a_torn_record_is_old():
    for done in ("seq only", "crc torn"):
        contents = flash((RUNNING, BLANK))
        write(contents, chosen(State.NEW), done)
        assert start(contents) == "app0"


def check_row_7_a_wrong_state_is_new_and_unmonitored():
    contents = flash((RUNNING, Record.of(2, 0x12FF)))
    assert [start(contents) for _ in range(3)] == ["app1"] * 3


def check_row_9_a_lost_pending_record_is_old():
    contents = flash((RUNNING, chosen(State.NEW).record))
    cut_start(contents, 1)
    assert records_of(contents)[1] == BLANK
    assert start(contents) == "app0"


def check_row_13_a_lost_aborted_record_is_old_without_a_trace():
    contents = flash((RUNNING, replace(chosen(State.NEW).record, state=State.PENDING_VERIFY)))
    cut_start(contents, 1)
    assert start(contents) == "app0"
    assert records_of(contents)[1] == BLANK


def check_row_14_without_records_factory_or_slot_0_first():
    layout = LAYOUTS["two_ota"]
    assert start(flash(layout=layout, factory=IMAGE)) == "factory"
    assert start(flash(slots=(b"", IMAGE))) == "app1"
    contents = flash()
    assert start(contents) == "app0"
    assert records_of(contents)[0] == Record.of(1, State.VALID)


def check_row_15_a_stale_record_decides_between_the_two_erases():
    layout = LAYOUTS["two_ota"]
    contents = flash((RUNNING, Record.of(2, State.VALID)), layout=layout, factory=IMAGE)
    perform(contents, Erase(layout.otadata.offset + otadata.SECTOR))
    assert start(contents) == "ota_0"
    perform(contents, Erase(layout.otadata.offset))
    assert start(contents) == "factory"


def check_an_unconfirmed_image_is_given_up():
    contents = flash((RUNNING, chosen(State.NEW).record))
    assert start(contents) == "app1"
    assert start(contents) == "app0"
    assert records_of(contents)[1].state == State.ABORTED
    assert start(contents) == "app0"


def check_a_broken_slot_falls_back_downwards_first():
    layout = LAYOUTS["two_ota"]
    contents = flash((RUNNING, BLANK), slots=(b"", IMAGE), layout=layout, factory=IMAGE)
    assert start(contents) == "factory"


def check_a_record_is_rewritten_after_an_erase():
    contents = flash((RUNNING, chosen(State.NEW).record))
    ops = boot_once(contents, ROLLBACK).ops
    address = TWO_SLOTS.otadata.offset + otadata.SECTOR
    assert [type(op) for op in ops] == [Erase, Program]
    assert {op.address for op in ops} == {address}


def check_pending_is_given_up_before_its_crc_is_looked_at():
    contents = flash((RUNNING, Record(2, State.PENDING_VERIFY, 0)))
    assert start(contents) == "app0"
    assert records_of(contents)[1] == Record(2, State.ABORTED, 0)


def check_an_image_without_digest_is_held_to_its_checksum():
    wrong = esp_image("esp32", RECIPE, hash=0, checksum_xor=1)
    assert start(flash((RUNNING, BLANK), slots=(wrong, IMAGE))) == "app1"


def check_a_damaged_image_is_not_started():
    # Two bytes whose damage the checksum does not see.
    damaged = bytearray(IMAGE)
    damaged[400] ^= 1
    damaged[401] ^= 1
    assert start(flash((RUNNING, BLANK), slots=(damaged, IMAGE))) == "app1"


CHECKS = [value for name, value in sorted(globals().items()) if name.startswith("check_")]


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_of_the_choice(check):
    check()


def test_without_rollback_a_chosen_slot_stays_chosen():
    contents = flash((RUNNING, chosen(State.UNDEFINED).record))
    assert [start(contents, BootConfig()) for _ in range(2)] == ["app1", "app1"]
    pending = flash((RUNNING, Record.of(2, State.PENDING_VERIFY)))
    assert boot_once(pending, BootConfig()).ops == []


# -- planted faults: each is noticed by the check named beside it


def _ignore_crc(m):
    m.setattr(Record, "usable", property(lambda self: not self.blank_or_bad))


def _honour_no_aborted(m):
    m.setattr(Record, "blank_or_bad", property(lambda self: self.seq == otadata.BLANK))


def _upwards_first(m):
    real = range

    def reversed_order(*args):
        # The walk down is the only range with a step.
        return real(args[0], args[0] + 1) if len(args) == 3 and args[2] == -1 else real(*args)

    m.setattr(esp_boot, "range", reversed_order, raising=False)


def _rewrite_without_erase(m):
    m.setattr(
        esp_boot,
        "_rewrite",
        lambda where, sector, record: iter([Program(where.offset + sector * otadata.SECTOR, record.pack())]),
    )


def _older_record_wins(m):
    m.setattr(otadata, "newest", lambda records, eligible: next((i for i in (0, 1) if eligible[i]), None))


class _NoState:
    """The states, none of which is NEW."""

    PENDING_VERIFY, ABORTED, VALID, NEW = State.PENDING_VERIFY, State.ABORTED, State.VALID, -1


def _never_pending(m):
    m.setattr(esp_boot, "State", _NoState)


def _never_settled(m):
    m.setattr(Record, "initial", property(lambda self: False))


def _check_crc_of_pending(m):
    real = esp_boot._Boot._store

    def store(self, records, index, state):
        return real(self, records, index, state) if records[index].crc == otadata.record_crc(records[index].seq) else ()

    m.setattr(esp_boot._Boot, "_store", store)


def _no_checksum(m):
    m.setattr(esp_image_format._Walk, "_checksum", lambda self: None)


def _no_digest(m):
    real = esp_image_format.Header.unpack
    m.setattr(esp_image_format.Header, "unpack", lambda raw: replace(real(raw), hashed=False))


FAULTS = {
    "the CRC is ignored": (_ignore_crc, check_row_6_a_torn_record_is_old),
    "ABORTED is not honoured": (_honour_no_aborted, check_an_unconfirmed_image_is_given_up),
    "the slots after a broken one are tried first": (_upwards_first, check_a_broken_slot_falls_back_downwards_first),
    "a record is rewritten without an erase": (_rewrite_without_erase, check_a_record_is_rewritten_after_an_erase),
    "the first usable record decides": (_older_record_wins, check_row_7_a_wrong_state_is_new_and_unmonitored),
    "a new image is not watched": (_never_pending, check_an_unconfirmed_image_is_given_up),
    "blank records stay blank": (_never_settled, check_row_14_without_records_factory_or_slot_0_first),
    "the checksum is not compared": (_no_checksum, check_an_image_without_digest_is_held_to_its_checksum),
    "the digest is not compared": (_no_digest, check_a_damaged_image_is_not_started),
    "a torn pending record is left alone": (
        _check_crc_of_pending,
        check_pending_is_given_up_before_its_crc_is_looked_at,
    ),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_planted_fault_is_noticed(name, monkeypatch):
    plant, check = FAULTS[name]
    check()
    plant(monkeypatch)
    with pytest.raises(AssertionError):
        check()
