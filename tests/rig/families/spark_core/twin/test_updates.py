"""Updates of a Core by its firmware's version: each difference that a server can meet, on both its sides.

Sources: core-communication-lib and core-firmware at spark_3 (0.2.0) to spark_11 (0.3.4), device-os at v0.4.0, v0.4.4
and v0.4.9 (communication/src/spark_protocol.cpp, system/src/system_cloud.cpp, system_task.cpp, system_update.cpp).
T1 to T11 are the differences that genuine device code was seen to make beside the twin.
"""

from __future__ import annotations

from rig.families.spark_core.formats import flash as layout
from rig.families.spark_core.formats.coap import Code, Message, Type, path
from rig.families.spark_core.formats.messages import chunk_options, missed_indices
from rig.families.spark_core.twin.app.user_code import UserCode
from tests.rig.families.spark_core.twin.checks_online import CHUNKS, NEW, OWN, SIZE, Talk
from tests.rig.families.spark_core.twin.core_in_a_lab import Lab, brief


def test_the_whole_image_fits():
    """A whole update of each kind, so that the checks above are about what goes wrong only."""
    for version, fast in (("0.2.0", False), ("0.2.1", False), ("0.3.4", False), ("0.4.4", False), ("0.4.4", True)):
        talk = Talk(version)
        talk.begin(fast=fast)
        for index in range(len(CHUNKS)):
            assert [message.code for message in talk.chunk(index, index if fast else None)][1] == Code.CHANGED
        talk.done()
        assert talk.was_reset, (version, fast)
        assert talk.slot(len(CHUNKS))[: len(NEW)] == NEW.data, (version, fast)


def fast_with_loss(version: str) -> list[Message]:
    """A fast update that lost one chunk; returns what the Core says to that chunk when it comes in the end."""
    talk = Talk(version)
    talk.begin(fast=True)
    for index in range(1, len(CHUNKS)):
        talk.chunk(index, index)
    refused, asked = talk.done()
    assert (refused.code, missed_indices(asked.payload)) == (Code.BAD_REQUEST, [0])
    said = talk.chunk(0, 0)
    assert talk.was_reset
    return said


def test_a_fast_update_with_loss_ends_in_a_reset_and_no_word():
    """T1: v0.4.4 spark_protocol.cpp:1158 finishes first, and system_update.cpp:165 resets; v0.4.9 says it before."""
    assert brief(fast_with_loss("0.4.4")) == ["ping"], "the chunk's acknowledgement, an empty message, and nothing more"
    assert brief(fast_with_loss("0.4.9")) == ["ping", "u"]


def test_fifty_chunks_are_asked_for_at_once():
    """T2: v0.4.4 spark_protocol.cpp:132. Before 0.4 it is one at a time."""
    talk = Talk("0.4.4")
    talk.begin(fast=True, size=120 * SIZE)
    assert missed_indices(talk.done()[1].payload) == list(range(50))
    for index in range(49):
        assert brief(talk.chunk(0, index)) == ["ping"]
    assert missed_indices(talk.chunk(0, 49)[1].payload) == list(range(50, 100))
    old = Talk("0.3.4")
    old.begin()
    assert missed_indices(old.pass_time(3.1)[0].payload) == [0]


def test_an_update_of_any_size_and_place_is_accepted():
    """T6: v0.4.4 spark_protocol.cpp:1046 only counts chunks, system_update.cpp:104 checks nothing."""
    talk = Talk("0.4.4")
    assert [message.code for message in talk.begin(size=120_000)] == [Code.EMPTY, Code.CHANGED]
    assert [message.code for message in talk.begin(store=1, address=0x10_0000)] == [Code.EMPTY, Code.CHANGED]
    assert [message.code for message in talk.chunk(0)] == [Code.EMPTY, Code.CHANGED]
    assert talk.slot(1) == b"\xff" * SIZE, "acknowledged, and not stored"
    talk.done()
    assert not talk.was_reset
    (refused,) = talk.say(Code.POST, path(b"u"), bytes.fromhex("00 0001 00010000 00 00000000"))
    assert refused.code == 1, "65,536 chunks are too many"


def test_erases_what_the_update_needs():
    """Before 0.4 the whole slot, whatever is told; from then on what the size needs."""
    erased = {}
    for version in ("0.2.1", "0.4.4"):
        talk = Talk(version)
        start = len(talk.board.memory.journal.runs)
        talk.begin(size=20_000)
        runs = talk.board.memory.journal.runs[start:]
        erased[version] = sum(run.count for run in runs if run.kind == "xerase")
    assert erased == {"0.2.1": 32, "0.4.4": 5}


def test_an_update_of_0_4_outlasts_its_connection():
    """v0.4.4 calls no reset_updating at a handshake: events are held back, and SysTick resets it 30 s after a chunk."""
    told = {}
    for version in ("0.3.4", "0.4.4"):
        lab = Lab(version, UserCode(after_hello=[OWN]))
        lab.come_online()
        lab.say(Message(Type.CON, Code.POST, 1, b"\1", path(b"u")).pack())
        lab.pass_time(2)
        lab.lose()
        told[version] = "e:own" in brief(lab.come_online())
        lab.pass_time(31)
        told[version] = told[version], "update-timeout" in [event.name for event in lab.core.events]
    assert told == {"0.3.4": (True, False), "0.4.4": (False, True)}


def test_only_good_chunks_keep_systick_from_resetting():
    """TimingFlashUpdateTimeout is cleared when a chunk is stored; a damaged one only puts off the question for it."""
    for version in ("0.2.1", "0.4.4"):
        talk = Talk(version)
        talk.begin()
        for _ in range(15):
            talk.say(Code.POST, ((11, b"c"), (15, bytes(4))), CHUNKS[0])
            talk.pass_time(2)
        assert talk.was_reset, version


def test_a_chunk_is_stored_without_an_update_before_0_4():
    """handle_received_message of spark_4 asks nobody; the address is where the last update ended, at first 0."""
    old, new = Talk("0.2.1"), Talk("0.4.4")
    before = old.board.memory.external.read(0, SIZE)
    assert [message.code for message in old.chunk(0)] == [Code.EMPTY, Code.CHANGED]
    assert before == b"\xff" * SIZE
    assert old.board.memory.external.read(0, SIZE) == CHUNKS[0]
    assert [message.code for message in new.chunk(0)] == [Code.EMPTY]


def test_slow_and_fast_chunks_of_0_4_lie_at_their_index():
    """A chunk that comes twice lies twice in a slow update of any version, and once in a fast one."""
    for version, fast, slots in (("0.2.1", False, (0, 1, 1)), ("0.4.4", False, (0, 1, 1)), ("0.4.4", True, (0, 1))):
        talk = Talk(version)
        talk.begin(fast=fast)
        for index in (0, 1, 1):
            talk.chunk(index, index if fast else None)
        expected = b"".join(CHUNKS[index] for index in slots).ljust(3 * SIZE, b"\xff")
        assert talk.slot(3) == expected, (version, fast)


def test_what_flash_cannot_take_holds_0_4_until_it_is_reset():
    """FLASH_Update of v0.4.4 writes until it reads what it wrote; 0.2.1 erases the sector and asks again."""
    told = {}
    for version in ("0.2.1", "0.4.4"):
        talk = Talk(version)
        talk.begin(size=SIZE)
        run = talk.board.memory.external.programming(layout.OTA_ADDRESS, bytes(SIZE))
        talk.board.memory.external.perform(run, 0, run.count)
        said = talk.say(Code.POST, chunk_options(b"x" * SIZE), b"x" * SIZE)
        told[version] = brief(said), talk.was_reset
    assert told == {"0.2.1": (["ping", "c"], False), "0.4.4": (["ping"], True)}


def test_a_worn_cell_is_written_twice_by_0_4():
    talk = Talk("0.4.4")
    talk.begin()
    talk.board.memory.worn_out[layout.OTA_ADDRESS + 100] = 2
    assert [message.code for message in talk.chunk(0)] == [Code.EMPTY, Code.CHANGED]
    assert talk.slot(1) == CHUNKS[0]


def test_a_slow_chunk_is_asked_for_until_0_4_4():
    """v0.4.0 still asks for it (spark_protocol.cpp:174), v0.4.4 has that commented out."""
    for version, asks in (("0.3.4", True), ("0.4.0", True), ("0.4.4", False)):
        talk = Talk(version)
        talk.begin()
        assert bool(talk.pass_time(3.1)) == asks, version
