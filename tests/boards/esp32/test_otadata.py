"""What otadata makes of a start, row by row of the reference's table 4.2, where no relay can aim.

Rows 6, 7 and 15 are windows of microseconds, row 14 takes an accident before: what such a cut leaves is laid there over
the serial port. The cuts themselves are made on the model, at the very operation:
tests/rig/families/esp32/twin/app/test_ota.py.
"""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from rig.families.esp32.boards.golden import golden_set
from rig.families.esp32.campaign.preset_flash import PresetFlash
from rig.families.esp32.formats.otadata import BLANK, SIZE, Record, State, read_records, record_crc
from rig.families.esp32.formats.second_stage import BOOTLOADER_OFFSET
from rig.firmware.outcomes import Became

pytestmark = [pytest.mark.long, pytest.mark.board("esp32", boot="wired", bridge="always")]
#: The image that plays the second stage, with rollback and without.
BOOTLOADERS = {"rollback": "bootloader", "no rollback": "plain_bootloader"}
#: The image that plays each partition here.
PLAYS = {"ota_0": "old", "ota_1": "new", "factory": "factory"}
ERASED = b""


@pytest.fixture(params=BOOTLOADERS)
def rollback(request, bench, image):
    """Whether the second stage rolls back; it is written for this test."""
    if request.param != "rollback":
        with bench.board.loader() as rom:
            rom.write(BOOTLOADER_OFFSET, image(BOOTLOADERS[request.param]).data)
    return request.param == "rollback"


def started(board, table):
    """Start the board: which partition's application runs, by its role."""
    board.start()
    if not board.is_alive(board.timing.start):
        return Became("stranded")
    return Became(PLAYS[next(row.label for row in table.rows if row.offset == board.log.loaded())])


def records_of(board, table):
    """Both records, read in download mode."""
    board.enter_readback_mode()
    where = table.otadata.offset
    return read_records(board.read_flash([(where, SIZE)])[where])


@dataclass(frozen=True)
class Torn:
    """What a cut left of the record that chooses slot 1, and how rollback leaves its state.

    `state` None: the record is left as it is. A build without rollback never touches it.
    """

    record: Record
    state: int | None = None


def in_state(state):
    return Record.of(2, state)


TORN = {
    "6 nothing but the sequence number": Torn(Record(2, BLANK, BLANK)),
    "6 half of the sequence number": Torn(Record(0xFFFF_0002, State.NEW, record_crc(2))),
    "6 half of the crc": Torn(Record(2, State.NEW, record_crc(2) | 0xFFFF_0000)),
    "6 everything but the crc": Torn(Record(2, State.NEW, BLANK)),
    "7 no state": Torn(in_state(State.UNDEFINED)),
    "7 the state's first byte": Torn(in_state(0xFFFF_FF00)),
    "7 all but the state's last bit": Torn(in_state(0x8000_0000)),
    "7 a state that there is not": Torn(in_state(5)),
    "7 valid": Torn(in_state(State.VALID)),
    "8 new": Torn(in_state(State.NEW), state=State.ABORTED),
    "10 on probation": Torn(in_state(State.PENDING_VERIFY), state=State.ABORTED),
    "invalid": Torn(in_state(State.INVALID)),
    "given up": Torn(in_state(State.ABORTED)),
}


@pytest.mark.parametrize("case", TORN)
def test_a_record_that_is_not_whole(bench, image, rollback, as_expected, case):
    """The image in slot 1 never confirms: one that two starts run is one that nobody watches."""
    torn, table = TORN[case], golden_set(bench.roles).table
    before = records_of(bench.board, table)[0]
    PresetFlash({1: torn.record.pack()}, {1: image("never_confirms").data}).write(bench.board, table)
    for start in ("first start", "next start"):
        as_expected.of(
            "otadata", f"{case}, {start}{'' if rollback else ' without rollback'}", started(bench.board, table)
        )
    state = torn.state if rollback and torn.state is not None else torn.record.state
    expected = Record(torn.record.seq, state, torn.record.crc)
    assert records_of(bench.board, table) == (before, expected)


#: Both records as they are lost, and whether a start then says in otadata which slot it found.
LOST = {
    "14 both erased": (ERASED, ERASED, True),
    "14 one torn, the other erased": (Record(2, State.NEW, BLANK).pack(), ERASED, False),
    "14 both torn": (Record(2, State.NEW, BLANK).pack(), Record(3, BLANK, BLANK).pack(), False),
}


@pytest.mark.parametrize("case", LOST)
def test_both_records_lost(bench, image, rollback, as_expected, case):
    """Whichever slot was chosen before: slot 1 holds an image too."""
    first, second, settles = LOST[case]
    table = golden_set(bench.roles).table
    PresetFlash({0: first, 1: second}, {1: image("new").data}).write(bench.board, table)
    laid = records_of(bench.board, table)
    as_expected.of("otadata", "14 both records lost", started(bench.board, table))
    expected = (Record.of(1, State.VALID), laid[1]) if settles else laid
    assert records_of(bench.board, table) == expected


@pytest.mark.parametrize("case", LOST)
def test_both_records_and_the_first_slot_lost(bench, image, rollback, as_expected, case):
    first, second, settles = LOST[case]
    table = golden_set(bench.roles).table
    PresetFlash({0: first, 1: second}, {0: ERASED, 1: image("new").data}).write(bench.board, table)
    laid = records_of(bench.board, table)
    as_expected.of("otadata", "14 both records and the first slot lost", started(bench.board, table))
    expected = (Record.of(2, State.VALID), laid[1]) if settles else laid
    assert records_of(bench.board, table) == expected


@pytest.mark.parametrize("case", LOST)
@pytest.mark.firmware("factory")
def test_both_records_lost_where_there_is_a_factory_application(bench, image, rollback, as_expected, case):
    first, second, _ = LOST[case]
    table = golden_set(bench.roles).table
    PresetFlash({0: first, 1: second}, {1: image("new").data}).write(bench.board, table)
    laid = records_of(bench.board, table)
    as_expected.of("otadata", "14 both records lost", started(bench.board, table), wanted="factory")
    assert records_of(bench.board, table) == laid


ACTIVE, STALE = Record.of(5, State.VALID).pack(), Record.of(4, State.VALID).pack()
#: Both sectors as the factory's choice, which erases the first and then the other, leaves them.
FACTORY = {
    "15 before the erases": (ACTIVE, STALE),
    "15 between them, the active record left": (ERASED, ACTIVE),
    "15 between them, a stale record left": (ERASED, STALE),
    "15 between them, a record left that was given up": (ERASED, Record.of(4, State.ABORTED).pack()),
    "15 after them": (ERASED, ERASED),
}


@pytest.mark.parametrize("case", FACTORY)
@pytest.mark.firmware("factory")
def test_on_the_way_to_the_factory_application_whichever_record_is_left_decides(
    bench, image, rollback, as_expected, case
):
    first, second = FACTORY[case]
    table = golden_set(bench.roles).table
    PresetFlash({0: first, 1: second}, {1: image("new").data}).write(bench.board, table)
    laid = records_of(bench.board, table)
    for _start in ("first", "next"):
        as_expected.of("otadata", case, started(bench.board, table), wanted="factory")
    assert records_of(bench.board, table) == laid


@pytest.mark.firmware("plain")
def test_without_rollback_rows_9_11_and_13_are_of_writes_that_are_not_made(bench, image, as_expected):
    """Neither the first start of a new image, nor the network, nor the next start touches otadata."""
    table = golden_set(bench.roles).table
    PresetFlash({1: in_state(State.UNDEFINED).pack()}, {1: image("new").data}).write(bench.board, table)
    laid = records_of(bench.board, table)
    for _start in ("first", "next"):
        as_expected.of("otadata", "9, 11 and 13", started(bench.board, table))
        bench.board.must.say(rb"connected to the network", bench.board.timing.joins)
        bench.board.clock.sleep(bench.board.timing.settles)
        assert records_of(bench.board, table) == laid
