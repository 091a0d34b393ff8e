"""Stock esptool over RFC 2217, where DTR, RTS and the rate are carried."""

from __future__ import annotations

import esptool as stock
import pytest
from serial import serial_for_url

from rig.families.esp32.formats.loader import SYNC_DATA, Op, Request
from rig.families.esp32.twin import boot
from rig.families.esp32.twin.circuit import ResetCircuit
from rig.formats import slip
from tests.rig.families.esp32.twin.models import ServedBoard, esptool, served_board
from tests.rig.families.esp32.twin.test_esptool import pattern

#: pyserial's client of RFC 2217 names its thread the old way.
pytestmark = pytest.mark.filterwarnings("ignore:set(Daemon|Name):DeprecationWarning")


@pytest.fixture(scope="module")
def shared():
    with served_board() as served:
        yield served


def remote(served: ServedBoard, **how: str) -> stock.ESPLoader:
    """esptool as a library on a port that it need not configure anew at every command."""
    port = serial_for_url(served.rfc2217_url, 115200)
    port.timeout = 3
    return stock.cmds.detect_chip(port, **how)


def test_it_resets_a_running_board_into_the_loader(shared):
    for held in (True, False):
        shared.do(shared.process.press, "reset", held)
    assert not shared.board.downloads
    told = esptool(shared.rfc2217_url, "chip-id", before="default-reset", stub=False)
    assert told.endswith("status 0")
    assert shared.events[-2:] == ["reset", "download"]


def test_a_board_whose_en_rises_at_once_starts_from_flash_instead(monkeypatch):
    monkeypatch.setattr(ResetCircuit.__init__, "__defaults__", (0.0,))
    monkeypatch.setattr(boot, "GIVES_UP_SECONDS", 1000.0)  # else its watchdog samples GPIO0 once more
    with served_board() as served:
        told = esptool(served.rfc2217_url, "chip-id", before="default-reset", stub=False, attempts=1)
    assert "Wrong boot mode detected (0x13)" in told
    assert "download" not in served.events


def test_opening_and_closing_a_port_disturbs_nothing(shared):
    shared.into_download()
    shared.board.events.clear()
    with serial_for_url(shared.rfc2217_url, 115200) as port:
        assert (port.dtr, port.rts) == (True, True)
        shared.do(lambda: None)
        assert not shared.process.circuit.en_low
    with serial_for_url(shared.rfc2217_url + "?ign_set_control", 115200):
        pass
    assert shared.events == []


def test_at_another_rate_with_the_stub_it_writes_what_it_reads(shared, tmp_path):
    with remote(shared) as rom:
        loader = rom.run_stub()
        loader.change_baud(460800)
        data = pattern(0x9000)
        stock.cmds.attach_flash(loader)
        stock.cmds.write_flash(loader, [(0x20000, data)])
        assert loader.read_flash(0x20000, 0x9000) == data
        assert shared.board.uart.baud == 460800


def test_ends_of_different_rates_do_not_understand_each_other(shared):
    shared.into_download()
    sync = slip.frame(Request(Op.SYNC, SYNC_DATA).pack())
    said: list[bytes] = []
    carry = shared.board.uart.on_output
    shared.board.uart.on_output = lambda data: (said.append(data), carry(data))
    with serial_for_url(shared.rfc2217_url, 921600, timeout=1) as port:
        port.write(sync * 3)
        port.baudrate = 115200
        port.write(b"\xc0" + sync)
        port.read(8 * 14)
    assert len(said) == 8
