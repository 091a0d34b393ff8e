"""Named checks of test_mutants about what a twin keeps: its folder, its files, its eFuses; and how it was flashed."""

from __future__ import annotations

import contextlib
import hashlib
from functools import cache
from pathlib import Path

import pytest

from rig import state_folder
from rig.errors import Misuse
from rig.families.esp32.firmware.bootloader import build_bootloader
from rig.families.esp32.firmware.boots import EspBoots
from rig.families.esp32.firmware.details import EspDetails
from rig.families.esp32.firmware.second_stages import SecondStages
from rig.families.esp32.twin import spi_flash
from rig.families.esp32.twin.chip import Chip
from rig.firmware.manifest import Image
from rig.state_folder import FolderLock
from rig.twin.network import Routes
from tests.rig.families.spark_core.campaign.checks_bench import raises

MAC = bytes.fromhex("240ac4000009")


class Killed(Exception):
    """The process is gone here."""


def nothing_is_half_written(folder: Path):
    """A process that is killed while it writes leaves the file as it was, or none."""
    path = folder / "flash.bin"
    for before in (None, b"before"):
        if before is not None:
            path.write_bytes(before)
        with pytest.MonkeyPatch.context() as killing, contextlib.suppress(Killed):
            killing.setattr(Path, "write_bytes", _half)
            state_folder.keep(path, b"afterwards")
        assert (path.read_bytes() if path.exists() else None) == before
    state_folder.keep(path, b"afterwards")
    assert path.read_bytes() == b"afterwards"


def _half(path: Path, content: bytes) -> None:
    with path.open("wb") as file:
        file.write(content[: len(content) // 2])
    raise Killed


def a_folder_is_one_twins(folder: Path):
    first = FolderLock(folder)
    assert raises(Misuse, lambda: FolderLock(folder))
    first.close()
    FolderLock(folder).close()


def kept_efuses_are_the_chip(_folder):
    for revision in (0, 100, 300):
        kept = Chip(MAC, revision=revision).efuses
        again = Chip(efuses=kept)
        assert (again.mac, again.revision) == (MAC, revision)
        assert raises(Misuse, lambda kept=kept: Chip(efuses=kept, revision=301))
        assert raises(Misuse, lambda kept=kept: Chip(b"\2" * 6, efuses=kept))


def flash_keeps_its_supply_when_en_is_pulled(_folder):
    chip = Chip()
    spi = spi_flash.BASE
    for register, value in ((spi_flash.USER, 1 << 27), (spi_flash.MOSI_DLEN, 7), (spi_flash.W0, 0x1C)):
        chip.write(spi + register, value)
    for command in (spi_flash.WRITE_ENABLE_VOLATILE, spi_flash.WRITE_STATUS[0]):
        chip.write(spi + spi_flash.USER2, command)
        chip.write(spi + spi_flash.CMD, 1 << 18)
    chip.reset()
    assert status(chip) == 0x1C
    chip.power_on()
    assert status(chip) == 0


def status(chip: Chip) -> int:
    for register, value in (
        (spi_flash.USER, 1 << 28), (spi_flash.MISO_DLEN, 7), (spi_flash.USER2, spi_flash.READ_STATUS[0]),
        (spi_flash.CMD, 1 << 18),
    ):  # fmt: skip
        chip.write(spi_flash.BASE + register, value)
    return chip.read(spi_flash.BASE + spi_flash.W0) & 0xFF


@cache
def second_stage() -> Image:
    data = build_bootloader("a test's", 8000)
    return Image("stage", "esp32", "1", data, "ok", EspDetails(boots=EspBoots()))


def patched(data: bytes, *, mode: int = 2, speed_size: int = 0x3F, mended: bool = True) -> bytes:
    """As esptool writes it with other flash parameters: it mends the digest, too."""
    body = data[:2] + bytes([mode, speed_size]) + data[4:-32]
    return body + (hashlib.sha256(body).digest() if mended else data[-32:])


def a_second_stage_is_known_by_whatever_parameters(_folder):
    stages, built = SecondStages([second_stage()]), second_stage().data
    behind = b"\xff" * 500
    for area in (built, patched(built), patched(built, mode=0, speed_size=0x10)):
        assert stages.find(area + behind) is second_stage()


def a_second_stage_with_a_byte_wrong_is_none(_folder):
    stages, built = SecondStages([second_stage()]), second_stage().data
    for area in (patched(built, mended=False), built[:-1], patched(built[:4000] + b"!" + built[4001:]), b"\xff" * 9000):
        assert stages.find(area) is None


def process_kind(**fields: object) -> dict[str, object]:
    """What a process of an ESP32 needs besides its folder."""
    return {
        "mac": None, "revision": None, "fed_by_board": False, "routes": Routes(), "address": None,
        "find": lambda _area: None, "bootloaders": lambda _area, _chip: None, "time_scale": 0.0, "seed": 0, **fields,
    }  # fmt: skip
