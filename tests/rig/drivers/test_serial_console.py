"""`rig serial console`: it prints what comes, and disturbs nobody."""

from __future__ import annotations

import contextlib
import os
import socket
import threading
import time

import pytest
import serial
from esp_rfc2217_server import redirector
from esp_rfc2217_server.esp_port_manager import EspPortManager

from rig.drivers.console_link import Rfc2217Link
from rig.errors import Misuse
from rig.families.esp32.drivers.loader import SerialAddress
from rig.families.esp32.lab import serial as serial_by_hand
from tests.rig.waiting import HANGS, until

#: pyserial's client of RFC 2217 names its thread the old way.
pytestmark = pytest.mark.filterwarnings("ignore:set(Daemon|Name):DeprecationWarning")


@contextlib.contextmanager
def stock_server(monkeypatch):
    """esptool's own server before a port that has lines; yields its port and what it does to the board."""
    done: list[str] = []
    monkeypatch.setattr(EspPortManager, "_hard_reset_thread", lambda self: done.append("hard reset"))
    monkeypatch.setattr(EspPortManager, "_reset_thread", lambda self: done.append("download"))
    with socket.create_server(("127.0.0.1", 0)) as listening, serial.serial_for_url("loop://", timeout=0.1) as port:

        def serve():
            peer, _ = listening.accept()
            with peer, contextlib.suppress(OSError):
                serving = redirector.Redirector(port, peer)
                serving.shortcircuit()
                serving.stop()

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield listening.getsockname()[1], done
        thread.join(HANGS)


def test_a_console_does_not_reset_a_board_behind_esptools_own_server(monkeypatch):
    with stock_server(monkeypatch) as (port, done):
        serial_by_hand.listen(f"rfc2217://127.0.0.1:{port}", 1.0, lambda _data: None)
    assert done == []


@pytest.mark.parametrize("kind", ["rfc2217 driver", "console"])
def test_neither_does_anybody_who_opens_a_port_of_ours(monkeypatch, kind):
    with stock_server(monkeypatch) as (port, done):
        opened = (
            SerialAddress("127.0.0.1", port).open()
            if kind == "rfc2217 driver"
            else Rfc2217Link("127.0.0.1", port, 115200)
        )
        with contextlib.closing(opened):
            time.sleep(0.5)
    assert done == []


#: What is said of DTR and RTS, and what that server makes of it.
WORDS = {"as pyserial opens a port": ((True, True), "download"), "both let go": ((False, False), "hard reset")}


@pytest.mark.parametrize("case", WORDS)
def test_that_server_takes_any_word_about_the_lines_for_a_reset(monkeypatch, case):
    """What the tests above would see if one was said."""
    lines, expected = WORDS[case]
    with (
        stock_server(monkeypatch) as (number, done),
        contextlib.closing(SerialAddress("127.0.0.1", number).open()) as port,
    ):
        port.dtr, port.rts = lines
        until(lambda: expected in done, "what the server makes of it")
    assert expected in done


@pytest.mark.parametrize("kind", ["plain_url", "device"])
def test_a_console_prints_what_comes(esp32, kind):
    here, there = os.openpty()
    with os.fdopen(here, "wb", buffering=0) as device:
        heard, url = [], os.ttyname(there) if kind == "device" else esp32.plain_url
        speaks = threading.Timer(0.3, device.write, [b"rst:0x1"])  # what came before it was opened is thrown away
        speaks.start()
        serial_by_hand.listen(url, 1.0, heard.append)
        speaks.join()
    os.close(there)
    assert b"rst:0x1" in b"".join(heard)


def test_a_console_does_not_restart_a_board_behind_its_bridge(esp32):
    esp32.into_download()
    esp32.board.events.clear()
    serial_by_hand.listen(esp32.rfc2217_url, 1.0, lambda _data: None)
    assert esp32.events == []


@pytest.mark.parametrize("seconds", [-2.0, float("nan"), float("inf")])
def test_a_console_for_no_time_is_refused(seconds):
    with pytest.raises(Misuse, match="--seconds"):
        serial_by_hand.listen("nowhere", seconds, print)
