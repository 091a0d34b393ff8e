"""Named checks of test_mutants about what the stubs, memory and the line of an ESP32 show to clients."""

from __future__ import annotations

import hashlib
import math
import zlib
from dataclasses import dataclass

from rig.families.esp32.formats.loader import LONGEST_PACKET, SYNC_DATA, Op, Request, block
from rig.families.esp32.twin.line import GRAIN_SECONDS, Line
from rig.families.esp32.twin.ram import Ram
from rig.firmware.seeded_bytes import seeded_bytes
from rig.formats import slip
from tests.rig.families.esp32.twin.checks_loader import filled
from tests.rig.families.esp32.twin.models import Host, downloading, kind, served_board, with_stub, words
from tests.rig.waiting import until

SYNC = slip.frame(Request(Op.SYNC, SYNC_DATA).pack())


class Wire:
    """A line on a clock that goes when it is told to; what came, when, and at which rate it was sent."""

    def __init__(self, least_rate: int = 0):
        self.now = 0.0
        self.came, self.when, self.rates = b"", list[float](), list[int]()
        self.line = Line(self._say, lambda: self.now, least_rate)

    def _say(self, data: bytes, rate: int) -> None:
        self.came += data
        self.when += [self.now] * len(data)
        self.rates += [rate] * len(data)

    def let_pass(self, seconds: float) -> None:
        """Let time go by."""
        until = self.now + seconds
        while self.line.due() <= until:
            self.now = max(self.now, self.line.due())
            self.line.advance(self.now)
        self.now = until

    def drain(self) -> None:
        """Let time go by until nothing waits."""
        while self.line.due() < math.inf:
            self.let_pass(max(self.line.due() - self.now, 0))


@dataclass(frozen=True, slots=True)
class ClientRead:
    """What a client has read of flash, its digest as the stub told it, and how long it waited at most for its port."""

    data: bytes
    digest: bytes
    longest_wait: float


def client_reads(stub: str, contents: bytes, *, pace: float, least_rate: int) -> ClientRead:
    """A client that takes `pace` bytes a second from its socket, and sets its port anew before it acknowledges.

    The bridge answers that at once, but its answer lies behind everything that came before.
    """
    host, wire, longest = kind(stub), Wire(least_rate), 0.0
    for run in host.board.memory.programming(0, contents):
        host.board.memory.perform(run, 0, run.count)
    host.board.uart.on_output = lambda data: wire.line.send(data, host.board.uart.baud)
    decoder, frames, taken = slip.SlipDecoder(LONGEST_PACKET), list[bytes](), 0
    host.board.received(words(Op.READ_FLASH, 0, len(contents), 0x1000, 64), wire.now)
    while len(frames) < 1 + len(contents) // 0x1000:
        known = len(frames)
        while len(frames) == known:
            assert wire.line.due() < math.inf or taken < len(wire.came), "nothing more comes"
            wire.let_pass(1 / pace)
            frames += decoder.feed(wire.came[taken : taken + 1])
            taken += 1 if taken < len(wire.came) else 0
        behind = len(wire.came) - taken
        longest = max(longest, behind / pace)
        wire.let_pass(behind / pace)
        frames += decoder.feed(wire.came[taken : taken + behind])
        taken += behind
        read = sum(map(len, frames[1:]))
        host.board.received(slip.frame(read.to_bytes(4, "little")), wire.now)
    wire.drain()
    frames += decoder.feed(wire.came[taken:])
    return ClientRead(b"".join(frames[1:-1]), frames[-1], longest)


# -- the line ----------------------------------------------------------------------------------------------------------


def what_the_chip_says_comes_at_the_lines_rate(_folder):
    wire = Wire()
    wire.line.send(bytes(1152), 115200)
    wire.let_pass(0.05)
    assert abs(len(wire.came) - 576) <= 1 + 11520 * GRAIN_SECONDS


def a_reply_comes_at_the_rate_it_was_sent_at(_folder):
    """That to a change of the rate is still on its way when the UART has the new one."""
    host, wire = downloading(), Wire()
    host.board.uart.on_output = lambda data: wire.line.send(data, host.board.uart.baud)
    host.board.received(words(Op.CHANGE_BAUD, 921600, 0), wire.now)
    host.board.received(words(Op.READ_REG, 0x40001000), wire.now)
    wire.drain()
    assert wire.rates == [115200] * 14 + [921600] * 14


def a_board_that_loses_power_says_nothing_more(_folder):
    with served_board(line_rate=300) as served:
        until(lambda: served.process.line.due() < math.inf, "the chip to say something")
        served.power(False)
        assert served.process.line.due() == math.inf


# -- memory ------------------------------------------------------------------------------------------------------------


def memory_keeps_what_is_written(_folder):
    for name in ("rom", "stub", "legacy"):
        host = kind(name)
        for address in (0x3FFB0000, 0x40080004, 0x50000010, 0x3FF44004):
            host.ask(Op.WRITE_REG, address, 0xA5A5F00D, 0xFFFFFFFF, 0)
            host.ask(Op.WRITE_REG, address, 0, 0xFFFF, 0)
            assert host.ask(Op.READ_REG, address).value == 0xA5A50000


def memory_is_lost_with_the_supply(_folder):
    host = downloading()
    before = host.ask(Op.READ_REG, 0x3FFB0000).value
    host.ask(Op.WRITE_REG, 0x3FFB0000, 1, 0xFFFFFFFF, 0)
    host.board.gpio0_low = True
    host.board.power_off(host.board.time)
    host.board.power_on(host.board.time)
    assert host.ask(Op.READ_REG, 0x3FFB0000).value == before


def the_upper_half_of_ram_is_mirrored_last_word_first(_folder):
    ram = Ram()
    ram.load(0x400A0000, b"lastnext")
    assert ram.peek(0x3FFFFFF8, 8) == b"nextlast"
    ram.load(0x3FF80000, b"fast")
    assert ram.peek(0x400C0000, 4) == b"fast"


def the_rom_can_be_dumped_and_stays_as_it_is(_folder):
    host = downloading()
    before = host.ask(Op.READ_REG, 0x40000400).value
    host.ask(Op.WRITE_REG, 0x40000400, before ^ 1, 0xFFFFFFFF, 0)
    assert host.ask(Op.READ_REG, 0x40000400).value == before
    assert before != host.ask(Op.READ_REG, 0x40000404).value


# -- stubs -------------------------------------------------------------------------------------------------------------


def loaded(host: Host, address: int, code: bytes) -> None:
    """Upload code and start it."""
    host.ask(Op.MEM_BEGIN, len(code), 1, 0x1800, address)
    host.block(Op.MEM_DATA, code)
    host.board.events.clear()
    host.send(words(Op.MEM_END, 0, address))


def an_application_in_ram_is_no_stub(_folder):
    for name in ("rom", "stub", "legacy"):
        host = kind(name)
        loaded(host, 0x40080000, bytes(64))
        assert host.board.events == ["ram:0x40080000"]
        assert host.send(SYNC) == []


def a_stubs_code_comes_first(_folder):
    for name, code in (("stub", 0xC3), ("legacy", 0xFF)):
        assert kind(name).ask(0xA5).data == bytes([code, 0])


def the_legacy_stub_gives_one_code_for_many_reasons(_folder):
    assert kind("legacy").ask(Op.ERASE_REGION, 0, 1).data == bytes([1, 0])
    assert kind("legacy").ask(Op.SPI_FLASH_MD5, 0).data == bytes([1, 0])


def _broken_stream(name: str) -> Host:
    host = kind(name)
    host.ask(Op.DEFL_BEGIN, 0x1000, 1, 0x4000, 0)
    assert host.block(Op.DEFL_DATA, b"no zlib stream").data == bytes(2)
    return host


def the_stub_tells_a_failed_write_once_whatever_is_asked(_folder):
    host = _broken_stream("stub")
    assert [host.ask(Op.READ_REG, 0x40001000).data[0] for _ in range(2)] == [0xC7, 0]


def the_legacy_stub_tells_a_failed_write_with_every_block(_folder):
    host = _broken_stream("legacy")
    assert host.ask(Op.READ_REG, 0x40001000).data[0] == 0
    assert [host.block(Op.DEFL_DATA, b"more").data[0] for _ in range(2)] == [0xC7, 0xC7]


def the_stub_starts_nothing_and_restarts_nothing(_folder):
    host = kind("stub")
    host.board.events.clear()
    host.ask(Op.FLASH_BEGIN, 0, 0, 0x4000, 0)
    host.ask(Op.FLASH_END, 0)
    host.send(words(Op.RUN_USER_CODE))
    assert host.board.events == []
    assert len(host.send(SYNC)) == 8


def the_legacy_stub_believes_the_length_in_a_head(_folder):
    raw = bytearray(Request(Op.READ_REG, (0x40001000).to_bytes(4, "little") + b"more").pack())
    raw[2] = 4
    (answer,) = kind("legacy").send(slip.frame(bytes(raw)))
    assert answer[-2:] == bytes(2)


def what_is_inflated_is_written_together(_folder):
    for name in ("stub", "legacy"):
        host, packed = kind(name), zlib.compress(seeded_bytes("together", 0x6000))
        host.ask(Op.DEFL_BEGIN, 0x6000, 2, 0x4000, 0)
        host.block(Op.DEFL_DATA, packed[:0x4000])
        assert host.board.memory.flash.read(0, 0x1000) == b"\xff" * 0x1000


def _sectors_erased(name: str, first: int) -> list[int]:
    """Which sectors of a download of three are erased with its first block; from sector `first` on they hold data."""
    host = kind(name)
    for run in host.board.memory.programming(first * 0x1000, bytes(0x3000)):
        host.board.memory.perform(run, 0, run.count)
    host.ask(Op.FLASH_BEGIN, 0x3000, 3, 0x1000, 0)
    host.block(Op.FLASH_DATA, bytes(0x1000))
    return [run.address // 0x1000 for run in host.board.memory.journal.runs if run.kind == "erase"]


def the_legacy_stub_erases_what_the_next_byte_needs(_folder):
    assert _sectors_erased("legacy", 0) == [0, 1]


def _acknowledgements(name: str) -> list[float]:
    """After how many seconds a download that erases 128 KiB and its first block are answered."""
    host, moments = with_stub(downloading(time_scale=1.0), name), list[float]()
    filled(host, 0, 0x20000)
    began = host.board.time
    host.board.uart.on_output = lambda _data: moments.append(host.board.time - began)
    host.board.received(words(Op.DEFL_BEGIN, 0x20000, 1, 0x4000, 0), began)
    host.board.received(slip.frame(block(Op.DEFL_DATA, zlib.compress(bytes(0x20000)), 0).pack()), began)
    return moments


def nothing_is_erased_before_the_first_block_is_acknowledged(_folder):
    assert (_acknowledgements("stub"), _acknowledgements("legacy")) == ([0, 0], [0, 0])


def the_stub_leaves_blank_sectors_alone(_folder):
    assert (_sectors_erased("stub", 0), _sectors_erased("stub", 1)) == ([0], [])


def a_read_that_is_given_up_ends_in_a_digest(_folder):
    for name in ("stub", "legacy"):
        host = kind(name)
        host.send(words(Op.READ_FLASH, 0, 0x2000, 0x1000, 64))
        assert host.send(SYNC) == [hashlib.md5(b"\xff" * 0x1000).digest()]


def the_legacy_stub_reckons_a_rate_from_the_old_one(_folder):
    host = kind("legacy")
    host.ask(Op.CHANGE_BAUD, 460800, 230400)
    assert host.board.uart.baud == 230400
