"""The ESP32's loaders without a port: every operation's rule, the ways out, and what a cut leaves."""

from __future__ import annotations

import zlib

import pytest

from rig.families.esp32.formats.loader import (
    LONGEST_PACKET,
    SYNC_DATA,
    Op,
    Request,
    RomError,
    block,
)
from rig.families.esp32.twin.memory import FLASH_SIZE
from rig.firmware.seeded_bytes import seeded_bytes
from rig.formats import slip
from rig.twin.flash import Tear
from rig.twin.tears import named_tear
from tests.rig.families.esp32.twin.models import (
    KINDS,
    STUB_ADDRESS,
    Host,
    LoaderBoard,
    downloading,
    kind,
    refused,
    words,
)

SYNC = slip.frame(Request(Op.SYNC, SYNC_DATA).pack())

# -- rules of operations -----------------------------------------------------------------------------------------------

#: (operation, words, the ROM's code, the stub's, the legacy stub's); 0 is success.
RULES = {
    "a register is read": (Op.READ_REG, [0x40001000], 0, 0, 0),
    "a register needs an address": (Op.READ_REG, [], 5, 0xC0, 0xC0),
    "a register is written": (Op.WRITE_REG, [0, 1, 0xFFFFFFFF, 0], 0, 0, 0),
    "a register is written by four words": (Op.WRITE_REG, [0, 1, 0xFFFFFFFF], 5, 0xC8, 0xC0),
    "nothing is written": (Op.WRITE_REG, [], 5, 0xC8, 0),
    "flash is attached to the ROM by two words": (Op.SPI_ATTACH, [0, 0], 0, 0xC0, 1),
    "flash is attached to a stub by one": (Op.SPI_ATTACH, [0], 5, 0, 0),
    "flash is described": (Op.SPI_SET_PARAMS, [0, 1 << 22, 0x10000, 0x1000, 0x100, 0xFFFF], 0, 0, 0),
    "flash is described by six words": (Op.SPI_SET_PARAMS, [0, 1 << 22], 5, 0xC0, 1),
    "a download is begun by four words": (Op.FLASH_BEGIN, [0, 0, 0x400, 0], 0, 0, 0),
    "only stubs take a fifth": (Op.FLASH_BEGIN, [0, 0, 0x400, 0, 0], 5, 0, 0),
    "nobody takes a sixth": (Op.FLASH_BEGIN, [0, 0, 0x400, 0, 0, 0], 5, 0xC0, 0xC0),
    "nobody encrypts": (Op.FLASH_BEGIN, [0, 0, 0x400, 0, 1], 5, 0xC4, 0xC4),
    "only the legacy stub looks at the size of blocks": (Op.FLASH_BEGIN, [0, 1, 0x4001, 0], 0, 0, 0xC2),
    "and at that of deflated ones": (Op.DEFL_BEGIN, [0, 1, 0x4001, 0], 0, 0, 0xC2),
    "only the ROM looks where a download ends": (Op.FLASH_BEGIN, [0x1000, 1, 0x400, FLASH_SIZE], 6, 0, 0),
    "and a deflated one": (Op.DEFL_BEGIN, [0x1000, 1, 0x400, FLASH_SIZE], 6, 0, 0),
    "a download that was not begun has no end": (Op.DEFL_END, [1], 0, 0xC6, 0xC6),
    "only the ROM reads slowly": (Op.READ_FLASH_SLOW, [0, 64], 0, 0xC3, 0xFF),
    "it reads 64 bytes at a time": (Op.READ_FLASH_SLOW, [0, 65], 0x0A, 0xC3, 0xFF),
    "it reads no further than flash goes": (Op.READ_FLASH_SLOW, [FLASH_SIZE - 1, 2], 9, 0xC3, 0xFF),
    "a digest goes no further than flash": (Op.SPI_FLASH_MD5, [0, FLASH_SIZE + 1, 0, 0], 9, 0xC4, 1),
    "a digest is asked for by four words": (Op.SPI_FLASH_MD5, [0, 1], 5, 0xC0, 1),
    "only stubs erase a region": (Op.ERASE_REGION, [0, 0x1000], 5, 0, 0),
    "they erase whole sectors": (Op.ERASE_REGION, [0, 0x1001], 5, 0xC0, 1),
    "only stubs erase everything": (Op.ERASE_FLASH, [], 5, 0, 0),
    "the legacy one needs no words for that": (Op.ERASE_FLASH, [0], 5, 0, 1),
    "code goes where RAM is": (Op.MEM_BEGIN, [4, 1, 0x1800, 0x1000], 6, 0, 0),
    "code is announced by four words": (Op.MEM_BEGIN, [4, 1, 0x1800], 5, 0xC0, 1),
    "an upload that was not begun has no end": (Op.MEM_END, [1, 0], 0, 0xC6, 0),
    "a rate is one": (Op.CHANGE_BAUD, [0, 115200], 5, 0xC0, 0xC0),
    "a rate comes with the old one": (Op.CHANGE_BAUD, [115200], 5, 0xC0, 0xC0),
    "this chip has no security to tell of": (Op.GET_SECURITY_INFO, [], 5, 0xFF, 0xFF),
    "what no stub knows": (0xA5, [], 5, 0xC3, 0xFF),
    "what a plugin might": (0xD5, [], 5, 0xFF, 0xFF),
}


@pytest.mark.parametrize("name", RULES)
@pytest.mark.parametrize("loader", KINDS)
def test_an_operation_does_what_it_may(name, loader):
    op, asked, *codes = RULES[name]
    code = codes[KINDS.index(loader)]
    assert kind(loader).ask(op, *asked).data.endswith(refused(loader, code))


@pytest.mark.parametrize("loader", KINDS)
def test_a_block_without_a_download_is_refused(loader):
    host = kind(loader)
    for op in (Op.FLASH_DATA, Op.DEFL_DATA):
        assert host.block(op, b"x").data[0]
    assert host.board.memory.journal.next == 0


@pytest.mark.parametrize("loader", KINDS)
@pytest.mark.parametrize("size", [1, 0x400, 0x1234, 0x8001])
def test_a_deflated_download_writes_what_was_deflated(loader, size):
    host, data = kind(loader), seeded_bytes("deflated", size)
    packed = zlib.compress(data)
    host.ask(Op.DEFL_BEGIN, size, 1, 0x4000, 0x1000)
    for at in range(0, len(packed), 0x333):
        assert host.block(Op.DEFL_DATA, packed[at : at + 0x333], at // 0x333).data[0] == 0
    assert host.board.memory.flash.read(0x1000, size + 1) == data + b"\xff"
    if loader != "rom":
        assert host.ask(Op.DEFL_END, 1).data == bytes(2)


DEFLATED = {
    "no zlib stream": (b"no zlib stream", RomError.DEFLATE),
    "more than was announced": (zlib.compress(bytes(1 << 24)), RomError.FLASH_WRITE),
}


@pytest.mark.parametrize("name", DEFLATED)
def test_the_rom_refuses_a_bad_stream_and_writes_nothing(name):
    host, (data, code) = downloading(), DEFLATED[name]
    host.ask(Op.DEFL_BEGIN, 0x1000, 1, 0x400, 0)
    before = host.board.memory.flash.digest()
    assert host.block(Op.DEFL_DATA, data).data == bytes([1, code, 0, 0])
    assert host.board.memory.flash.digest() == before


# -- ways out ----------------------------------------------------------------------------------------------------------

#: (operation, data, what the board does then)
WAYS_OUT = {
    "the ROM restarts": ("rom", Op.FLASH_END, [0], ["restart", "download"]),
    "the ROM starts what is in flash": ("rom", Op.FLASH_END, [1], ["flash"]),
    "a jump to nowhere restarts": ("rom", Op.MEM_END, [0, 0x40080000], ["restart", "download"]),
    "a jump into half an upload too": ("rom", Op.MEM_END, [0, STUB_ADDRESS], ["restart", "download"]),
    "no jump": ("rom", Op.MEM_END, [1, 0], []),
    "the legacy stub starts what is in flash": ("legacy", Op.RUN_USER_CODE, [], ["flash"]),
    "the stub stays": ("stub", Op.RUN_USER_CODE, [], []),
    "the legacy stub jumps whatever the flag says": ("legacy", Op.MEM_END, [1, 0x40080000], ["restart", "download"]),
}


@pytest.mark.parametrize("name", WAYS_OUT)
def test_a_loader_is_left(name):
    loader, op, asked, events = WAYS_OUT[name]
    host = kind(loader)
    if loader == "rom":
        host.ask(Op.MEM_BEGIN, 8, 1, 0x1800, STUB_ADDRESS)
        host.block(Op.MEM_DATA, b"half")
    host.board.events.clear()
    host.send(words(op, *asked))
    assert host.board.events == events


def test_only_the_legacy_stub_restarts_after_a_download():
    for stub, events in (("legacy", ["restart", "download"]), ("stub", [])):
        host = kind(stub)
        host.board.events.clear()
        host.ask(Op.FLASH_BEGIN, 0, 0, 0x4000, 0)
        host.ask(Op.FLASH_END, 0)
        assert host.board.events == events
        assert bool(host.replies(Request(Op.SYNC, SYNC_DATA))[0].value) == bool(events)


#: (loader, new rate, the old one as the host tells it) -> the rate then.
RATES = {
    "the ROM": ("rom", 460800, 0, 460800),
    "the stub": ("stub", 460800, 0, 460800),
    "the legacy stub reckons from the old one": ("legacy", 460800, 115200, 460800),
    "even where it is wrong": ("legacy", 460800, 230400, 230400),
}


@pytest.mark.parametrize("name", RATES)
def test_a_rate_is_changed(name):
    loader, new, old, rate = RATES[name]
    host = kind(loader)
    assert host.ask(Op.CHANGE_BAUD, new, old).data == refused(loader, 0)
    assert host.board.uart.baud == rate


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
    left = host.board.memory.flash.read(0x1000, 0x1000)
    if written is None:
        # What is being erased only gains bits.
        assert all(was & ~now == 0 for was, now in zip(old, left, strict=True))
        assert tear or left == old
    else:
        assert left[:written] == new[:written]
        assert left[written + 0x100 :] == b"\xff" * (0x1000 - written - 0x100)


# -- at the edges ------------------------------------------------------------------------------------------------------


def test_a_loader_longest_packet_is_heard():
    host = kind("stub")
    host.ask(Op.FLASH_BEGIN, 0x4000, 1, 0x4000, 0)
    assert host.block(Op.FLASH_DATA, b"\xc0" * 0x4000).data == bytes(2)
    assert len(block(Op.FLASH_DATA, bytes(0x4000), 0).pack()) == LONGEST_PACKET


def test_a_board_whose_gpio0_is_high_does_not_download():
    board = LoaderBoard()
    board.power_on(0.0)
    assert board.events == ["flash"]
    assert Host(board).send(SYNC) == []
