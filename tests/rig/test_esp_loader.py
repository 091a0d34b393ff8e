"""The ESP32's loaders without a port: every operation's rule, the ways out, and what a cut leaves."""

from __future__ import annotations

import hashlib
import zlib

import pytest
from esp_models import STUB_ADDRESS, Host, LoaderBoard, downloading, with_stub

from rig.formats import slip
from rig.formats.esp_loader import (
    LONGEST_PACKET,
    SYNC_DATA,
    Op,
    Request,
    RomError,
    StubError,
    block,
)
from rig.twin.esp32.memory import FLASH_SIZE
from rig.twin.flash import Tear
from rig.twin.tears import named_tear

SYNC = slip.frame(Request(Op.SYNC, SYNC_DATA).pack())
OK = bytes(4)


def kind(stub: bool) -> Host:
    return with_stub(downloading()) if stub else downloading()


# -- rules of operations -----------------------------------------------------------------------------------------------

#: (operation, words, the ROM's code, the stub's code); 0 is success, None what ends the loader.
RULES = {
    "a register is read": (Op.READ_REG, [0x40001000], 0, 0),
    "a register needs an address": (Op.READ_REG, [], 5, 0xC0),
    "a register is written": (Op.WRITE_REG, [0, 1, 0xFFFFFFFF, 0], 0, 0),
    "a register is written by four words": (Op.WRITE_REG, [0, 1, 0xFFFFFFFF], 5, 0xC0),
    "flash is attached": (Op.SPI_ATTACH, [0, 0], 0, 0),
    "flash is described": (Op.SPI_SET_PARAMS, [0, 1 << 22, 0x10000, 0x1000, 0x100, 0xFFFF], 0, 0),
    "a download is begun by four words": (Op.FLASH_BEGIN, [0, 0, 0x400, 0], 0, 0),
    "only the stub takes a fifth": (Op.FLASH_BEGIN, [0, 0, 0x400, 0, 0], 5, 0),
    "nobody encrypts": (Op.FLASH_BEGIN, [0, 0, 0x400, 0, 1], 5, 0xC4),
    "a download ends where flash does": (Op.FLASH_BEGIN, [0x1000, 1, 0x400, FLASH_SIZE], 6, 0xC4),
    "a deflated one too": (Op.DEFL_BEGIN, [0x1000, 1, 0x400, FLASH_SIZE], 6, 0xC4),
    "only the ROM reads slowly": (Op.READ_FLASH_SLOW, [0, 64], 0, 0xFF),
    "it reads 64 bytes at a time": (Op.READ_FLASH_SLOW, [0, 65], 0x0A, 0xFF),
    "it reads no further than flash goes": (Op.READ_FLASH_SLOW, [FLASH_SIZE - 1, 2], 9, 0xFF),
    "a digest goes no further than flash": (Op.SPI_FLASH_MD5, [0, FLASH_SIZE + 1, 0, 0], 9, 0xC4),
    "only the stub erases a region": (Op.ERASE_REGION, [0, 0x1000], 5, 0),
    "it erases whole sectors": (Op.ERASE_REGION, [0, 0x1001], 5, 0xC2),
    "only the stub erases everything": (Op.ERASE_FLASH, [], 5, 0),
    "only the stub reads in frames": (Op.READ_FLASH, [0, 0, 0x1000, 64], 5, 0),
    "a frame has a length": (Op.READ_FLASH, [0, 0x1000, 0, 64], 5, 0xC2),
    "code goes where RAM is": (Op.MEM_BEGIN, [4, 1, 0x1800, 0x1000], 6, 0xFF),
    "a rate is one": (Op.CHANGE_BAUD, [0, 0], 5, 0xC0),
    "this chip has no security to tell of": (Op.GET_SECURITY_INFO, [], 5, 0xFF),
}


@pytest.mark.parametrize("name", RULES)
@pytest.mark.parametrize("stub", [False, True], ids=["rom", "stub"])
def test_an_operation_does_what_it_may(name, stub):
    op, words, *codes = RULES[name]
    if op is Op.READ_FLASH and stub and not codes[1]:
        assert (
            len(kind(True).send(slip.frame(Request(op, b"".join(w.to_bytes(4, "little") for w in words)).pack()))) == 2
        )
        return
    reply = kind(stub).ask(op, *words)
    status = reply.data[-2:] if stub else reply.data[-4:-2]
    assert status == bytes([1 if codes[stub] else 0, codes[stub]])


@pytest.mark.parametrize("stub", [False, True], ids=["rom", "stub"])
def test_a_block_without_a_download_is_refused(stub):
    host = kind(stub)
    for op in (Op.FLASH_DATA, Op.DEFL_DATA):
        assert host.block(op, b"x").data[0] == 1
    assert host.board.memory.journal.next == 0


@pytest.mark.parametrize("stub", [False, True], ids=["rom", "stub"])
@pytest.mark.parametrize("size", [1, 0x400, 0x1234])
def test_a_deflated_download_writes_what_was_deflated(stub, size):
    host, data = kind(stub), bytes(range(256)) * 32
    packed = zlib.compress(data[:size])
    host.ask(Op.DEFL_BEGIN, size, 1, 0x400, 0x1000)
    for at in range(0, len(packed), 7):
        assert host.block(Op.DEFL_DATA, packed[at : at + 7], at // 7).data[0] == 0
    assert host.board.memory.flash.peek(0x1000, size + 1) == data[:size] + b"\xff"


DEFLATED = {
    "no zlib stream": (b"no zlib stream", RomError.DEFLATE, StubError.INFLATE),
    "more than was announced": (zlib.compress(bytes(1 << 24)), RomError.FLASH_WRITE, StubError.TOO_MUCH_DATA),
}


@pytest.mark.parametrize("name", DEFLATED)
def test_the_rom_refuses_a_bad_stream_and_writes_nothing(name):
    host, (data, code, _) = downloading(), DEFLATED[name]
    host.ask(Op.DEFL_BEGIN, 0x1000, 1, 0x400, 0)
    before = host.board.memory.flash.digest()
    assert host.block(Op.DEFL_DATA, data).data == bytes([1, code, 0, 0])
    assert host.board.memory.flash.digest() == before


@pytest.mark.parametrize("name", DEFLATED)
def test_the_stub_tells_of_a_bad_stream_one_request_later(name):
    host, (data, _, code) = with_stub(downloading()), DEFLATED[name]
    host.ask(Op.DEFL_BEGIN, 0x1000, 1, 0x4000, 0)
    assert host.block(Op.DEFL_DATA, data[:0x4000]).data == bytes(2)
    assert host.ask(Op.DEFL_END, 1).data == bytes([1, code])
    assert host.board.memory.flash.peek(0x1000, 0x1000) == b"\xff" * 0x1000


def test_the_stub_erases_no_further_than_it_writes():
    host = with_stub(downloading())
    for run in host.board.memory.programming(0, bytes(0x4000)):
        host.board.memory.perform(run, 0, run.count)
    host.ask(Op.FLASH_BEGIN, 0x3000, 3, 0x1000, 0)
    host.block(Op.FLASH_DATA, b"\xaa" * 0x1000)
    assert host.board.memory.flash.peek(0, 0x4000) == b"\xaa" * 0x1000 + bytes(0x3000)
    assert host.ask(Op.FLASH_END, 1).data == bytes([1, StubError.NOT_ENOUGH_DATA])


def test_the_stub_cuts_the_last_block_to_the_download():
    host = with_stub(downloading())
    host.ask(Op.FLASH_BEGIN, 0x10, 1, 0x4000, 0)
    host.block(Op.FLASH_DATA, bytes(0x4000))
    assert host.board.memory.flash.peek(0, 0x11) == bytes(0x10) + b"\xff"
    assert host.block(Op.FLASH_DATA, b"x").data == bytes([1, StubError.TOO_MUCH_DATA])
    assert host.ask(Op.FLASH_END, 1).data == bytes(2)


def test_the_stub_sends_no_more_frames_than_the_window_and_then_the_digest():
    host = with_stub(downloading())
    request = Request(Op.READ_FLASH, b"".join(n.to_bytes(4, "little") for n in (0, 0x2800, 0x1000, 2)))
    assert [len(frame) for frame in host.send(slip.frame(request.pack()))[1:]] == [0x1000, 0x1000]
    assert [len(frame) for frame in host.send(slip.frame((0x1000).to_bytes(4, "little")))] == [0x800]
    assert host.send(slip.frame((0x2000).to_bytes(4, "little"))) == []
    digest = hashlib.md5(b"\xff" * 0x2800).digest()
    assert host.send(slip.frame((0x2800).to_bytes(4, "little"))) == [digest]


def test_a_host_that_stops_reading_is_answered_again_when_it_syncs():
    host = with_stub(downloading())
    request = Request(Op.READ_FLASH, b"".join(n.to_bytes(4, "little") for n in (0, 0x2000, 0x1000, 1)))
    host.send(slip.frame(request.pack()))
    host.send(SYNC)
    assert len(host.send(SYNC)) == 8


#: (operation, data, what the board does then)
WAYS_OUT = {
    "the ROM restarts": (False, Op.FLASH_END, [0], ["restart", "download"]),
    "the ROM starts what is in flash": (False, Op.FLASH_END, [1], ["flash"]),
    "a jump to nowhere restarts": (False, Op.MEM_END, [0, 0x40080000], ["restart", "download"]),
    "a jump into half an upload too": (False, Op.MEM_END, [0, STUB_ADDRESS], ["restart", "download"]),
    "no jump": (False, Op.MEM_END, [1, 0], []),
    "the stub starts what is in flash": (True, Op.RUN_USER_CODE, [], ["flash"]),
}


@pytest.mark.parametrize("name", WAYS_OUT)
def test_a_loader_is_left(name):
    stub, op, words, events = WAYS_OUT[name]
    host = kind(stub)
    if not stub:
        host.ask(Op.MEM_BEGIN, 8, 1, 0x1800, STUB_ADDRESS)
        host.block(Op.MEM_DATA, b"half")
    host.board.events.clear()
    host.replies(Request(op, b"".join(word.to_bytes(4, "little") for word in words)))
    assert host.board.events == events


def test_the_stub_leaves_for_the_rom_after_a_download():
    host = with_stub(downloading())
    host.ask(Op.FLASH_BEGIN, 0, 0, 0x4000, 0)
    host.ask(Op.FLASH_END, 0)
    assert host.board.events[-2:] == ["restart", "download"]
    assert host.replies(Request(Op.SYNC, SYNC_DATA))[0].value


def test_a_new_rate_begins_after_the_reply():
    host = downloading()
    rates = []
    host.board.uart.on_output = lambda _data: rates.append(host.board.uart.baud)
    host.send(slip.frame(Request(Op.CHANGE_BAUD, (460800).to_bytes(4, "little") + bytes(4)).pack()))
    assert (rates, host.board.uart.baud) == ([115200], 460800)


# -- power -------------------------------------------------------------------------------------------------------------

#: At a download of 0x800 bytes: the operation that is cut, and how many bytes are then in flash.
CUTS = {
    "before anything": (0, None),
    "before the first page": (1, 0),
    "in the fifth page": (5, 0x400),
    "last": (8, 0x700),
}


@pytest.mark.parametrize("name", CUTS)
@pytest.mark.parametrize("tear", [None, "prefix"])
def test_a_cut_leaves_a_prefix(name, tear):
    host, (operation, written) = downloading(), CUTS[name]
    old, new = b"\x0f" * 0x1000, bytes(range(256)) * 8
    for run in host.board.memory.programming(0x1000, old):
        host.board.memory.perform(run, 0, run.count)
    tearing: Tear | None = named_tear(tear, 1) if tear else None
    host.board.memory.journal.fuse = (operation, tearing)
    host.replies(Request(Op.FLASH_BEGIN, b"".join(n.to_bytes(4, "little") for n in (0x800, 2, 0x400, 0x1000))))
    for sequence in range(2):
        host.replies(block(Op.FLASH_DATA, new[sequence * 0x400 :][:0x400], sequence))
    assert not host.board.powered
    left = host.board.memory.flash.peek(0x1000, 0x1000)
    if written is None:
        # What is being erased only gains bits.
        assert all(was & ~now == 0 for was, now in zip(old, left, strict=True))
        assert tear or left == old
    else:
        assert left[:written] == new[:written]
        assert left[written + 0x100 :] == b"\xff" * (0x1000 - written - 0x100)


# -- at the edges ------------------------------------------------------------------------------------------------------


def test_a_loader_longest_packet_is_heard():
    host = with_stub(downloading())
    host.ask(Op.FLASH_BEGIN, 0x4000, 1, 0x4000, 0)
    assert host.block(Op.FLASH_DATA, b"\xc0" * 0x4000).data == bytes(2)
    assert len(block(Op.FLASH_DATA, bytes(0x4000), 0).pack()) == LONGEST_PACKET


def test_a_board_whose_gpio0_is_high_does_not_download():
    board = LoaderBoard()
    board.power_on(0.0)
    assert board.events == ["flash"]
    assert Host(board).send(SYNC) == []
