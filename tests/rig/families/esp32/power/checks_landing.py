"""Named checks of test_mutants about the reader of landings on an ESP32: what flash tells of a cut."""

from __future__ import annotations

from rig.families.esp32.campaign.trial import HttpsUpdate
from rig.families.esp32.formats.otadata import SECTOR, Record, State
from rig.families.esp32.formats.partition_table import LAYOUTS
from rig.families.esp32.power.landing import PAGE, WITH_ROLLBACK, WITHOUT_ROLLBACK, Download, Probation, SerialWrite
from rig.firmware.manifest import Image
from rig.power.landing import OUTSIDE, Landing
from rig.power.trigger import Aim

RECORDS_AT, SLOT_AT = 0xF000, 0x1D0000
DATA = bytes((n * n >> 3 ^ n) & 0xFF for n in range(0x5000))
OLD_SLOT = bytes(reversed(DATA))
#: Slot 0 runs by record 3; the other record is for slot 1.
RUNNING, OTHER = Record.of(3, State.VALID), Record.of(2, State.VALID)


def otadata(*records: Record | bytes | None) -> bytes:
    """Both sectors: a record each, its first bytes, or nothing."""
    raw = (b"" if one is None else one.pack() if isinstance(one, Record) else one for one in records)
    return b"".join(one.ljust(SECTOR, b"\xff") for one in raw)


BEFORE = otadata(RUNNING, OTHER)
CHOSEN = Record.of(4, State.NEW)


def landing(
    records: bytes = BEFORE,
    written: int | None = None,
    phases: frozenset[str] = frozenset(),
    states: tuple[State, ...] = WITH_ROLLBACK,
) -> Landing:
    """Of a download that wrote so many bytes, None where it never began to."""
    slot = OLD_SLOT if written is None else DATA[:written].ljust(len(DATA), b"\xff")
    download = Download(BEFORE, OLD_SLOT, DATA, records_at=RECORDS_AT, slot_at=SLOT_AT, phases=phases, states=states)
    return download.locate(records, slot)


def a_download_ends_when_all_is_written(_folder):
    assert (landing(written=0x2345).phase, landing(written=0x2345).address) == ("download", SLOT_AT + 0x2345)
    assert landing(written=len(DATA)).phase == "end"


def a_torn_record_is_told_by_what_the_board_had_said(_folder):
    torn = otadata(RUNNING, CHOSEN.pack()[:4])
    found = [landing(torn, len(DATA), frozenset(phases)).phase for phases in ((), ("chosen",), ("chosen", "new-app"))]
    assert found == ["choose", "first-boot", "confirm"]


def a_record_that_is_gone_is_the_updates_begin(_folder):
    found = landing(otadata(RUNNING, None))
    assert (found.phase, found.address, found.landed) == ("forget", RECORDS_AT + SECTOR, True)


#: What the board had said by then, the state of its record, and how far the new image is.
STARTED = ("chosen", "new-boot")
RUNS = (*STARTED, "new-app")
AGAIN = (*RUNS, "restarted")
WHOLE = {
    ((), State.NEW): "chosen",
    (("chosen",), State.NEW): "chosen",
    (STARTED, State.PENDING_VERIFY): "probation",
    (RUNS, State.PENDING_VERIFY): "probation",
    (RUNS, State.VALID): "confirmed",
    (STARTED, State.VALID): "confirmed",
    (AGAIN, State.PENDING_VERIFY): "probation",
    (AGAIN, State.ABORTED): "aborted",
    (AGAIN, State.VALID): "confirmed",
}
#: States with a CRC that is good which a write that was torn leaves, and what it was of.
TORN = {
    ((), State.UNDEFINED): "choose",
    ((), State.INVALID): "choose",
    (("chosen",), State.UNDEFINED): "first-boot",
    (STARTED, State.INVALID): "first-boot",
    (RUNS, State.UNDEFINED): "confirm",
    (RUNS, State.INVALID): "confirm",
    (AGAIN, State.UNDEFINED): "abort",
    (AGAIN, 0x8000_0004): "abort",
}


def a_state_that_is_torn_is_no_whole_one(_folder):
    for (phases, state), phase in TORN.items():
        found = landing(otadata(RUNNING, Record.of(4, state)), len(DATA), frozenset(phases))
        assert (found.phase, found.landed) == (phase, True), (phases, state, found)
    torn = Probation(otadata(RUNNING, Record.of(4, State.PENDING_VERIFY)), records_at=RECORDS_AT)
    assert torn.locate(otadata(RUNNING, Record.of(4, State.UNDEFINED))).phase == "abort"


#: What the board had said, the state, the states a record goes through: what flash alone does not tell.
UNCERTAIN = {
    "a later state, and nobody said that the slot was chosen": ((), State.VALID, WITH_ROLLBACK),
    "a state that no step of this build writes": (("chosen",), State.VALID, WITHOUT_ROLLBACK),
    "a state that no write leaves when it is torn": (RUNS, 0x8000_0004, WITH_ROLLBACK),
    "no state, and nobody knows the build": (("chosen",), State.UNDEFINED, ()),
}


def what_flash_does_not_tell_is_inferred(_folder):
    for case, (phases, state, states) in UNCERTAIN.items():
        found = landing(otadata(RUNNING, Record.of(4, state)), len(DATA), frozenset(phases), states)
        assert not found.landed, (case, found)


def without_rollback_no_state_is_whole(_folder):
    found = landing(otadata(RUNNING, Record.of(4, State.UNDEFINED)), len(DATA), frozenset(RUNS), WITHOUT_ROLLBACK)
    assert (found.phase, found.landed) == ("chosen", True)


def a_rollback_is_no_confirm(_folder):
    gone = otadata(RUNNING, None)
    assert landing(gone, len(DATA), frozenset(RUNS)).phase == "confirm"
    assert landing(gone, len(DATA), frozenset(AGAIN)).phase == "abort"
    trial = HttpsUpdate(Image("new", "esp32", "1", DATA, "crashes"), Aim("new-start"), LAYOUTS["two_ota_large"])
    (slot, _), (where, _) = trial.landing_stretches
    before, after = {slot: OLD_SLOT, where: BEFORE}, {slot: DATA, where: gone}
    trial.phases.extend(["start", "chosen", "new-start", "new-boot", "new-app"])
    assert trial.locate(before, after).phase == "confirm"
    trial.phases.append("new-start")
    assert trial.locate(before, after).phase == "abort"


def arduinos_updates_are_measured_without_their_magic(_folder):
    for written in (0x2345, len(DATA)):
        slot = b"\xff" * 16 + DATA[16:written].ljust(len(DATA) - 16, b"\xff")
        found = Download(BEFORE, OLD_SLOT, DATA, RECORDS_AT, SLOT_AT).locate(BEFORE, slot)
        assert (found.phase, found.address) == ("download", SLOT_AT + written)
    blank = Download(BEFORE, OLD_SLOT, DATA, RECORDS_AT, SLOT_AT).locate(BEFORE, b"\xff" * len(DATA))
    assert (blank.phase, blank.address) == ("download", SLOT_AT)


def a_record_that_is_whole_says_how_far_the_new_image_is(_folder):
    for (phases, state), phase in WHOLE.items():
        found = landing(otadata(RUNNING, Record.of(4, state)), len(DATA), frozenset(phases))
        assert (found.phase, found.known_by) == (phase, "read-back"), (phases, state)


def an_image_that_is_given_up_lands_in_its_abort(_folder):
    before = otadata(RUNNING, Record.of(4, State.PENDING_VERIFY))
    probation = Probation(before, records_at=RECORDS_AT)
    assert probation.locate(before).phase == OUTSIDE
    assert probation.locate(otadata(RUNNING, None)).phase == "abort"
    assert probation.locate(otadata(RUNNING, Record.of(4, State.ABORTED))).phase == "aborted"


def a_sector_that_is_half_erased_is_not_written_yet(_folder):
    alike = DATA[:32] + OLD_SLOT[32:]
    for kept in (2048, 3000):
        half = alike[:kept] + b"\xff" * (SECTOR - kept) + alike[SECTOR:]
        found = SerialWrite(0x10000, alike, DATA).locate(half)
        assert (found.phase, found.address) == ("erase", 0x10000), kept
    for whole in (0x1210, 0x1300, 0x1F00):  # the rest of the page that was being written is torn, or all of it
        torn = DATA[:whole] + b"\x5a" * (PAGE - whole % PAGE)
        found = SerialWrite(0x10000, alike, DATA).locate(torn.ljust(len(DATA), b"\xff"))
        assert (found.phase, found.address) == ("program", 0x10000 + whole)
    as_it_goes = SerialWrite(0x10000, OLD_SLOT, DATA).locate(DATA[:SECTOR] + OLD_SLOT[SECTOR:])
    assert (as_it_goes.phase, as_it_goes.address) == ("program", 0x11000)


def a_serial_write_lands_where_it_has_come_to(_folder):
    write = SerialWrite(0x10000, OLD_SLOT, DATA)
    assert write.locate(OLD_SLOT).phase == OUTSIDE
    assert write.locate(b"\xff" * len(DATA)).phase == "erase"
    half = write.locate(DATA[:0x1000].ljust(len(DATA), b"\xff"))
    assert (half.phase, half.address) == ("program", 0x11000)
    assert write.locate(DATA).phase == OUTSIDE
