"""What otadata makes of a start, row by row of the reference's table 4.2, where no relay can aim.

Rows 6, 7 and 15 are windows of microseconds, row 14 takes an accident before: what such a cut leaves is laid there over
the serial port. The cuts themselves are made on the model, at the very operation: tests/rig/test_esp_ota.py.
"""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from rig.boards.golden import golden_set
from rig.formats.esp_second_stage import BOOTLOADER_OFFSET
from rig.campaign.laid_flash import LaidFlash
from rig.formats.otadata import BLANK, SIZE, Record, State, read_records, record_crc

pytestmark = [pytest.mark.long, pytest.mark.board("esp32", boot="wired", bridge="always")]
#: The image that plays the second stage, with rollback and without.
BOOTLOADERS = {"rollback": "bootloader", "no rollback": "plain_bootloader"}
OLD, NEW = "ota_0", "ota_1"
ERASED = b""


@pytest.fixture(params=BOOTLOADERS)
def rollback(request, bench, image):
    """Whether the second stage rolls back; it is written for this test."""
    if request.param != "rollback":
        with bench.board.loader() as rom:
            rom.write(BOOTLOADER_OFFSET, image(BOOTLOADERS[request.param]).data)
    return request.param == "rollback"


def started(board, table):
    """Start the board: label of the partition whose application runs."""
    board.start()
    assert board.is_alive(board.timing.start), board.log.said()[-400:]
    return next(row.label for row in table.rows if row.offset == board.log.loaded())


def records_of(board, table):
    """Both records, read in download mode."""
    board.enter_reader()
    where = table.otadata.offset
    return read_records(board.read_flash([(where, SIZE)])[where])


@dataclass(frozen=True)
class Torn:
    """What a cut left of the record that chooses slot 1: which slots two starts run, and how rollback leaves its state.

    `state` None: the record is left as it is. A build without rollback never touches it.
    """

    record: Record
    rollback: tuple[str, str] = (NEW, NEW)
    plain: tuple[str, str] = (NEW, NEW)
    state: int | None = None


def in_state(state):
    return Record.of(2, state)


REFUSED = {"rollback": (OLD, OLD), "plain": (OLD, OLD)}
TORN = {
    "6 nothing but the sequence number": Torn(Record(2, BLANK, BLANK), **REFUSED),
    "6 half of the sequence number": Torn(Record(0xFFFF_0002, State.NEW, record_crc(2)), **REFUSED),
    "6 half of the crc": Torn(Record(2, State.NEW, record_crc(2) | 0xFFFF_0000), **REFUSED),
    "6 everything but the crc": Torn(Record(2, State.NEW, BLANK), **REFUSED),
    "7 no state": Torn(in_state(State.UNDEFINED)),
    "7 the state's first byte": Torn(in_state(0xFFFF_FF00)),
    "7 all but the state's last bit": Torn(in_state(0x8000_0000)),
    "7 a state that there is not": Torn(in_state(5)),
    "7 valid": Torn(in_state(State.VALID)),
    "8 new": Torn(in_state(State.NEW), rollback=(NEW, OLD), state=State.ABORTED),
    "10 on probation": Torn(in_state(State.PENDING_VERIFY), rollback=(OLD, OLD), state=State.ABORTED),
    "invalid": Torn(in_state(State.INVALID), **REFUSED),
    "given up": Torn(in_state(State.ABORTED), **REFUSED),
}


@pytest.mark.parametrize("case", TORN)
def test_a_record_that_is_not_whole_starts_what_the_table_says(bench, image, rollback, case):
    """The image in slot 1 never confirms: one that two starts run is one that nobody watches."""
    torn, table = TORN[case], golden_set(bench.roles).table
    before = records_of(bench.board, table)[0]
    LaidFlash({1: torn.record.pack()}, {1: image("never_confirms").data}).lay(bench.board, table)
    runs = (started(bench.board, table), started(bench.board, table))
    assert runs == (torn.rollback if rollback else torn.plain)
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
def test_with_both_records_lost_the_first_slot_is_tried_first(bench, image, rollback, case):
    """Whichever slot was chosen before: slot 1 holds an image too."""
    first, second, settles = LOST[case]
    table = golden_set(bench.roles).table
    LaidFlash({0: first, 1: second}, {1: image("new").data}).lay(bench.board, table)
    laid = records_of(bench.board, table)
    assert started(bench.board, table) == OLD
    expected = (Record.of(1, State.VALID), laid[1]) if settles else laid
    assert records_of(bench.board, table) == expected


@pytest.mark.parametrize("case", LOST)
def test_with_both_records_and_the_first_slot_lost_the_other_one_runs(bench, image, rollback, case):
    first, second, settles = LOST[case]
    table = golden_set(bench.roles).table
    LaidFlash({0: first, 1: second}, {0: ERASED, 1: image("new").data}).lay(bench.board, table)
    laid = records_of(bench.board, table)
    assert started(bench.board, table) == NEW
    expected = (Record.of(2, State.VALID), laid[1]) if settles else laid
    assert records_of(bench.board, table) == expected


@pytest.mark.parametrize("case", LOST)
@pytest.mark.firmware("factory")
def test_with_both_records_lost_the_factory_application_runs(bench, image, rollback, case):
    first, second, _ = LOST[case]
    table = golden_set(bench.roles).table
    LaidFlash({0: first, 1: second}, {1: image("new").data}).lay(bench.board, table)
    laid = records_of(bench.board, table)
    assert started(bench.board, table) == "factory"
    assert records_of(bench.board, table) == laid


ACTIVE, STALE = Record.of(5, State.VALID).pack(), Record.of(4, State.VALID).pack()
#: Both sectors as the factory's choice, which erases the first and then the other, leaves them, and what starts.
FACTORY = {
    "15 before the erases": (ACTIVE, STALE, OLD),
    "15 between them, the active record left": (ERASED, ACTIVE, OLD),
    "15 between them, a stale record left": (ERASED, STALE, NEW),
    "15 between them, a record left that was given up": (ERASED, Record.of(4, State.ABORTED).pack(), "factory"),
    "15 after them": (ERASED, ERASED, "factory"),
}


@pytest.mark.parametrize("case", FACTORY)
@pytest.mark.firmware("factory")
def test_on_the_way_to_the_factory_application_whichever_record_is_left_decides(
    bench, image, rollback, known_defect, case
):
    first, second, runs = FACTORY[case]
    table = golden_set(bench.roles).table
    LaidFlash({0: first, 1: second}, {1: image("new").data}).lay(bench.board, table)
    laid = records_of(bench.board, table)
    assert (started(bench.board, table), started(bench.board, table)) == (runs, runs)
    assert records_of(bench.board, table) == laid
    if second == STALE and first == ERASED:
        known_defect("stale-record-decides-on-the-way-to-the-factory")


@pytest.mark.firmware("plain")
def test_without_rollback_rows_9_11_and_13_are_of_writes_that_are_not_made(bench, image):
    """Neither the first start of a new image, nor the network, nor the next start touches otadata."""
    table = golden_set(bench.roles).table
    LaidFlash({1: in_state(State.UNDEFINED).pack()}, {1: image("new").data}).lay(bench.board, table)
    laid = records_of(bench.board, table)
    for _start in ("first", "next"):
        assert started(bench.board, table) == NEW
        assert bench.board.log.wait_for(rb"connected to the network", bench.board.timing.joins)
        bench.board.clock.sleep(bench.board.timing.settles)
        assert records_of(bench.board, table) == laid
