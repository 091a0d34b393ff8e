"""Named checks of test_mutants about an ESP32's loader and the circuit before it."""

from __future__ import annotations

import hashlib
import math
from functools import partial

from rig.families.esp32.formats.loader import SYNC_DATA, Op, Request, RomError, StubError, block
from rig.families.esp32.twin.circuit import ResetCircuit
from rig.formats import slip
from tests.rig.families.esp32.twin.models import (
    Host,
    LoaderBoard,
    downloading,
    esptool,
    kind,
    refused,
    served_board,
    with_stub,
)

#: Classic reset as it comes over RFC 2217, the two lines one after the other: (seconds, DTR, RTS).
CLASSIC = [
    (0.00, False, True), (0.15, True, True), (0.20, True, False), (0.30, False, False),
]  # fmt: skip


def boots_into(edges: list[tuple[float, bool, bool]]) -> str:
    """What a board with power does when DTR and RTS change so."""
    board, circuit = LoaderBoard(), ResetCircuit()
    now = 1.0

    def show() -> None:
        board.gpio0_low = circuit.gpio0_low
        board.hold_reset(circuit.en_low, now)

    circuit.on_change = show
    board.power_on(0.0)
    board.events.clear()
    for at, dtr, rts in edges:
        while circuit.due() < 1.0 + at:
            now = circuit.due()
            circuit.advance(now)
        now = 1.0 + at
        circuit.set(dtr, rts, now)
    while circuit.due() < math.inf:
        now = circuit.due()
        circuit.advance(now)
    board.advance(now + 1)
    return " ".join(board.events)


def filled(host: Host, start: int, length: int) -> None:
    """Let flash hold something to be erased."""
    for run in host.board.memory.programming(start, bytes(length)):
        host.board.memory.perform(run, 0, run.count)


def classic_reset_enters_the_loader(_folder):
    assert boots_into(CLASSIC) == "download"


def opening_and_closing_a_port_disturbs_nothing(_folder):
    assert boots_into([(0, True, False), (0.05, True, True), (1, False, False)]) == ""


def an_unknown_operation_is_refused_once(_folder):
    replies = downloading().replies(Request(Op.GET_SECURITY_INFO))
    assert [(reply.op, reply.data) for reply in replies] == [(Op.GET_SECURITY_INFO, bytes([1, 5, 0, 0]))]


def esptool_tells_the_chip(_folder):
    with served_board() as served:
        served.into_download()
        assert "ESP32-D0WD-V3 (revision v3.0)" in esptool(served.plain_url, "chip-id", stub=False)


def a_digest_is_of_the_region_asked_for(_folder):
    digest = hashlib.md5(bytes(0x100) + b"\xff" * 0x100)
    for host, told in ((downloading(), digest.hexdigest().encode()), (with_stub(downloading()), digest.digest())):
        filled(host, 0x1000, 0x100)
        assert host.ask(Op.SPI_FLASH_MD5, 0x1000, 0x200, 0, 0).data.startswith(told)


def the_rom_erases_before_data_come(_folder):
    host = downloading()
    filled(host, 0x1000, 0x3000)
    assert host.ask(Op.FLASH_BEGIN, 0x1800, 6, 0x400, 0x1000).data == bytes(4)
    flash = host.board.memory.flash
    assert flash.read(0x1000, 0x2000) == b"\xff" * 0x2000
    assert flash.read(0x3000, 0x1000) == bytes(0x1000)


def a_block_with_a_wrong_checksum_changes_nothing(_folder):
    for name, code in (("rom", RomError.CHECKSUM), ("stub", StubError.CHECKSUM), ("legacy", StubError.CHECKSUM)):
        host = kind(name)
        host.ask(Op.FLASH_BEGIN, 0x400, 1, 0x400, 0x1000)
        before = host.board.memory.flash.digest()
        assert host.block(Op.FLASH_DATA, bytes(0x400), damage=1).data == refused(name, code)
        assert host.board.memory.flash.digest() == before
        assert host.block(Op.FLASH_DATA, bytes(0x400)).data[0] == 0
        assert host.board.memory.flash.read(0x1000, 0x400) == bytes(0x400)


def a_reply_says_what_has_been_done(_folder):
    """The ROM answers a block when it is written, the stub when it has come."""
    for host, written in ((downloading(time_scale=1.0), True), (with_stub(downloading(time_scale=1.0)), False)):
        host.ask(Op.FLASH_BEGIN, 0x400, 1, 0x400, 0x1000)
        read = partial(host.board.memory.flash.read, 0x1000, 0x400)
        seen: list[bytes] = []
        host.board.uart.on_output = lambda _raw, read=read, seen=seen: seen.append(read())
        host.send(slip.frame(block(Op.FLASH_DATA, bytes(0x400), 0).pack()))
        assert [was == bytes(0x400) for was in seen] == [written]
        assert read() == bytes(0x400)


def sync_tells_the_rom_from_the_stub(_folder):
    for host, stub in ((downloading(), False), (with_stub(downloading()), True)):
        replies = host.replies(Request(Op.SYNC, SYNC_DATA))
        assert len(replies) == 8
        assert all((reply.value == 0) == stub for reply in replies)
