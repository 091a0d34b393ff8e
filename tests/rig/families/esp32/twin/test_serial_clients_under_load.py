"""Clients that others wrote read all of an ESP32's flash while the machine has much else to do; `--long` only."""

from __future__ import annotations

import subprocess

import pytest

from rig.families.esp32.twin.memory import FLASH_SIZE
from rig.firmware.seeded_bytes import seeded_bytes
from tests.rig.families.esp32.twin.models import served_board
from tests.rig.families.esp32.twin.serial_clients import Esptool, EsptoolJs, busy

#: A client has no deadline of its own but the one between two bytes; this one is for what hangs.
SECONDS = 3600
LOOPS = 25

CLIENTS = {
    "esptool 5.6": Esptool("5.6.0", "read-flash", resets=False),
    "esptool 5.6, which sets its port anew for each of 1024 frames": Esptool("5.6.0", "read-flash"),
    "esptool 4.8": Esptool("4.8.1"),
    "esptool 4.7": Esptool("4.7.0"),
    "esptool 3.3": Esptool("3.3"),
    "esptool-js 0.7": EsptoolJs("0.7.0"),
}


@pytest.mark.long
@pytest.mark.parametrize("name", CLIENTS)
def test_a_client_reads_all_of_flash_on_a_busy_machine(name, tmp_path):
    file, flash = tmp_path / "read.bin", seeded_bytes("flash", FLASH_SIZE)
    with served_board(flash=flash) as served:
        command = CLIENTS[name].read(served, FLASH_SIZE, file)
        with busy(LOOPS, SECONDS):
            done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=False)
    assert done.returncode == 0, done.stdout[-500:] + done.stderr[-500:]
    assert file.read_bytes() == flash
