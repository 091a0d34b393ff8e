"""The two stubs: what each tells of what goes wrong, how it erases and reads, and what is loaded to RAM through it."""

from __future__ import annotations

import hashlib
import zlib

import pytest

from rig.families.esp32.formats.loader import SYNC_DATA, Op, Request, StubError
from rig.firmware.seeded_bytes import seeded_bytes
from rig.formats import slip
from tests.rig.families.esp32.twin.checks_loader import filled
from tests.rig.families.esp32.twin.models import KINDS, Host, downloading, kind, refused, words

SYNC = slip.frame(Request(Op.SYNC, SYNC_DATA).pack())

# -- writing -----------------------------------------------------------------------------------------------------------

#: What comes in a deflated download of 4096 bytes, and the legacy stub's answers to it and to the end.
STREAMS = {
    "no zlib stream": ([b"no zlib stream", b"more"], [0, 0xC7], 0xC8),
    "a stream that is too short": ([zlib.compress(bytes(9)), b"more"], [0, 0xC8], 0xC8),
    "a stream that is too long": ([zlib.compress(bytes(0x1001))], [0], 0),
    "a stream that goes on": ([zlib.compress(bytes(0x1000)), b"1234", b"12345", b""], [0, 0, 0, 0xC9], 0xC9),
    "a block that is harmed": ([zlib.compress(bytes(0x1000))[:-1] + b"x", b""], [0, 0xC7], 0xC8),
}


@pytest.mark.parametrize("name", STREAMS)
def test_the_legacy_stub_tells_of_a_bad_stream_with_every_block_after_it(name):
    blocks, codes, end = STREAMS[name]
    host = kind("legacy")
    host.ask(Op.DEFL_BEGIN, 0x1000, 1, 0x4000, 0)
    assert [host.block(Op.DEFL_DATA, block).data[0] for block in blocks] == codes
    assert host.ask(Op.DEFL_END, 1).data == bytes([end, 0])


def test_the_stub_tells_of_a_bad_stream_once_whatever_is_asked_next():
    host = kind("stub")
    host.ask(Op.DEFL_BEGIN, 0x1000, 1, 0x4000, 0)
    assert host.block(Op.DEFL_DATA, b"no zlib stream").data == bytes(2)
    assert host.ask(Op.READ_REG, 0x40001000).data == bytes([StubError.INFLATE, 0])
    assert host.ask(Op.READ_REG, 0x40001000).data == bytes(2)
    assert host.board.memory.flash.read(0, 0x1000) == b"\xff" * 0x1000


def test_a_stub_writes_a_deflated_stream_by_32_kibibytes():
    for name in ("stub", "legacy"):
        host, data = kind(name), seeded_bytes("chunks", 0xF000)
        packed = zlib.compress(data)
        host.ask(Op.DEFL_BEGIN, len(data), 4, 0x4000, 0)
        written = []
        for at in range(0, len(packed), 0x4000):
            host.block(Op.DEFL_DATA, packed[at : at + 0x4000], at // 0x4000)
            written.append(len(host.board.memory.flash.dump().rstrip(b"\xff")) + 0xFFF & ~0xFFF)
        assert written == [0, 0, 0x8000, 0xF000]


#: (stub, length of the first block of a download of three sectors) -> the sectors that are erased then.
ERASED = {
    "the stub erases no further than it writes": ("stub", 0x1000, [0]),
    "the legacy one erases what the next byte needs": ("legacy", 0x1000, [0, 1]),
    "which is nothing more in mid-sector": ("legacy", 0xFFF, [0]),
}


@pytest.mark.parametrize("name", ERASED)
def test_a_stub_erases_as_it_writes(name):
    stub, length, erased = ERASED[name]
    host = kind(stub)
    filled(host, 0, 0x4000)
    host.ask(Op.FLASH_BEGIN, 0x3000, 3, 0x1000, 0)
    host.block(Op.FLASH_DATA, b"\xaa" * length)
    assert [n for n in range(4) if host.board.memory.flash.read(n * 0x1000 + 0xFFF, 1) != b"\0"] == erased
    assert host.ask(Op.FLASH_END, 1).data[0] == (StubError.DATA_LENGTH if stub == "stub" else 0xC8)


@pytest.mark.parametrize(("stub", "erased"), [("stub", [0x1000, 0x2000]), ("legacy", [0, 0x1000, 0x2000])])
def test_only_the_stub_leaves_blank_sectors_alone_until_it_meets_another(stub, erased):
    host = kind(stub)
    filled(host, 0x1000, 0x10)
    host.ask(Op.FLASH_BEGIN, 0x3000, 3, 0x1000, 0)
    for n in range(3):
        host.block(Op.FLASH_DATA, bytes(0x1000), n)
    assert [run.address for run in host.board.memory.journal.runs if run.kind == "erase"] == erased


def test_a_stub_cuts_the_last_block_to_the_download():
    for name in ("stub", "legacy"):
        host = kind(name)
        host.ask(Op.FLASH_BEGIN, 0x10, 1, 0x4000, 0)
        host.block(Op.FLASH_DATA, bytes(0x4000))
        assert host.block(Op.FLASH_DATA, b"x").data == bytes(2)
        assert host.board.memory.flash.read(0, 0x11) == bytes(0x10) + b"\xff"
        assert host.ask(Op.FLASH_END, 1).data == bytes(2)


def test_the_legacy_stub_tells_a_wrong_checksum_before_a_wrong_length():
    for name, code in (("legacy", StubError.CHECKSUM), ("stub", StubError.TOO_MUCH_DATA)):
        host = kind(name)
        host.ask(Op.FLASH_BEGIN, 0x10, 1, 0x4000, 0)
        bad = Request(Op.FLASH_DATA, (9).to_bytes(4, "little") + bytes(12) + b"four", 0)
        assert host.replies(bad)[0].data == bytes([code, 0])


def test_a_packet_that_is_longer_than_the_longest_block_is_told_so_by_the_legacy_stub():
    raw = Request(Op.FLASH_DATA, bytes(0x4011)).pack()
    assert kind("legacy").send(slip.frame(raw))[0][-2:] == bytes([0xC0, 0xEE])
    assert kind("stub").send(slip.frame(raw)) == []


def test_the_legacy_stub_believes_the_length_in_a_packets_head():
    raw = bytearray(Request(Op.READ_REG, (0x40001000).to_bytes(4, "little") + b"more").pack())
    raw[2] = 4
    assert [frame[4:8].hex() for frame in kind("legacy").send(slip.frame(bytes(raw)))] == ["831df000"]
    assert kind("stub").send(slip.frame(bytes(raw)))[0][-2:] == bytes([0xC0, 0])


def test_only_the_stub_answers_what_is_no_request():
    answer = slip.frame(b"\x01\x08\0\0" + bytes(4))
    assert kind("stub").send(answer)[0][-2:] == bytes([0xC3, 0])
    assert downloading().send(answer) == []


# -- reading in frames -------------------------------------------------------------------------------------------------

#: (stub, length, frame, window) -> how many frames come before anything is acknowledged.
AHEAD = {
    "the legacy one counts bytes": ("legacy", 0x4000, 0x1000, 64, 1),
    "so that small frames are two": ("legacy", 0x4000, 32, 64, 2),
    "the stub has one under way": ("stub", 0x4000, 0x1000, 64, 1),
    "however small they are": ("stub", 0x4000, 32, 64, 1),
    "a window of nothing": ("legacy", 0x4000, 0x1000, 0, 0),
    "which the stub does not look at": ("stub", 0x4000, 0x1000, 0, 1),
}


@pytest.mark.parametrize("name", AHEAD)
def test_a_stub_sends_this_far_ahead(name):
    stub, length, frame, window, ahead = AHEAD[name]
    assert len(kind(stub).send(words(Op.READ_FLASH, 0, length, frame, window))) == 1 + ahead


@pytest.mark.parametrize("stub", ["stub", "legacy"])
def test_frames_come_as_they_are_acknowledged_and_then_the_digest(stub):
    host = kind(stub)
    assert [len(frame) for frame in host.send(words(Op.READ_FLASH, 0, 0x1800, 0x1000, 64))[1:]] == [0x1000]
    assert [len(frame) for frame in host.send(slip.frame((0x1000).to_bytes(4, "little")))] == [0x800]
    assert host.send(slip.frame((0x1800).to_bytes(4, "little"))) == [hashlib.md5(b"\xff" * 0x1800).digest()]


@pytest.mark.parametrize("stub", ["stub", "legacy"])
def test_nothing_is_read_in_no_frame_but_the_digest(stub):
    assert kind(stub).send(words(Op.READ_FLASH, 0, 0, 0x1000, 64))[1:] == [hashlib.md5().digest()]


@pytest.mark.parametrize("stub", ["stub", "legacy"])
def test_a_host_that_stops_reading_gets_the_digest_so_far_and_is_answered_again(stub):
    host = kind(stub)
    host.send(words(Op.READ_FLASH, 0, 0x2000, 0x1000, 1))
    assert host.send(SYNC) == [hashlib.md5(b"\xff" * 0x1000).digest()]
    assert len(host.send(SYNC)) == 8


@pytest.mark.parametrize("stub", ["stub", "legacy"])
def test_a_frame_that_is_too_long_is_told_of_by_the_stub_and_ends_the_legacy_one(stub):
    host = kind(stub)
    assert len(host.send(words(Op.READ_FLASH, 0, 0x2000, 0x1001, 1))) == 1
    assert [frame[-2] for frame in host.send(SYNC)] == ([0xC0] if stub == "stub" else [])


# -- RAM ---------------------------------------------------------------------------------------------------------------


def loaded(host: Host, address: int, code: bytes) -> list[bytes]:
    """What is answered to an upload's blocks."""
    host.ask(Op.MEM_BEGIN, len(code), 1, 0x1800, address)
    return [host.block(Op.MEM_DATA, code).data]


@pytest.mark.parametrize("loader", KINDS)
def test_an_application_is_loaded_to_ram_and_started(loader):
    host = kind(loader)
    assert loaded(host, 0x40080000, bytes(0x100)) == [refused(loader, 0)]
    host.board.events.clear()
    assert len(host.send(words(Op.MEM_END, 0, 0x40080010))) == 1
    assert host.board.events == ["ram:0x40080010"]
    assert host.send(SYNC) == []
    host.board.gpio0_low = True
    for held in (True, False):
        host.board.hold_reset(held, host.board.time)
    assert len(host.send(SYNC)) == 8


@pytest.mark.parametrize("loader", KINDS)
def test_what_is_uploaded_is_in_memory(loader):
    host = kind(loader)
    loaded(host, 0x3FFB0000, b"twelve bytes")
    assert host.ask(Op.READ_REG, 0x3FFB0008).value.to_bytes(4, "little") == b"ytes"


@pytest.mark.parametrize("stub", ["stub", "legacy"])
def test_a_stub_is_uploaded_through_a_stub(stub):
    host = kind(stub)
    loaded(host, 0x400BE000, b"codeOHAI")
    assert host.send(words(Op.MEM_END, 0, 0x400BE000))[-1] == b"OHAI"
    assert host.ask(0xA5).data == bytes([0xFF, 0])


#: Blocks of an upload of 8 bytes to a stub, and what is answered to them, and to its end.
UPLOADS = {
    "half of it": ("legacy", [b"half"], [0], 1),
    "half of it, and the other stub does not mind": ("stub", [b"half"], [0], 0),
    "more than it": ("legacy", [b"more than it"], [0xC9], 1),
    "more than it, to the other": ("stub", [b"more than it"], [0xC9], 0),
    "no whole words": ("legacy", [b"odd"], [0xC0], 1),
    "no whole words, and the other does not mind": ("stub", [b"odd"], [0], 0),
}


@pytest.mark.parametrize("name", UPLOADS)
def test_an_upload_through_a_stub_is_looked_at(name):
    stub, blocks, codes, end = UPLOADS[name]
    host = kind(stub)
    host.ask(Op.MEM_BEGIN, 8, 1, 0x1800, 0x40080000)
    assert [host.block(Op.MEM_DATA, block, damage=1).data[0] for block in blocks] == codes, "no checksum is looked at"
    assert host.ask(Op.MEM_END, 1, 0).data == bytes([end, 0])
    assert host.block(Op.MEM_DATA, b"late").data == bytes([0xC6, 0])
