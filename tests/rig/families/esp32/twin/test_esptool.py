"""Stock esptool at work on the twin's loaders; over RFC 2217 it is in test_esptool_rfc2217."""

from __future__ import annotations

import struct

import pytest

from rig.families.esp32.formats.loader import checksum
from rig.families.esp32.twin.memory import FLASH_SIZE
from tests.rig.families.esp32.twin.models import ServedBoard, esptool, served_board

#: pyserial's client of RFC 2217 names its thread the old way.
pytestmark = pytest.mark.filterwarnings("ignore:set(Daemon|Name):DeprecationWarning")
STUB = pytest.mark.parametrize("stub", [False, True], ids=["no-stub", "stub"])


@pytest.fixture(scope="module")
def shared():
    with served_board() as served:
        yield served


@pytest.fixture
def served(shared):
    """A board with blank flash that waits for a download."""
    shared.board.memory.flash.load(b"\xff" * FLASH_SIZE)
    shared.into_download()
    shared.board.events.clear()
    return shared


def dump(served: ServedBoard, address: int, length: int) -> bytes:
    return served.board.memory.flash.read(address, length)


def pattern(length: int) -> bytes:
    """Something that does not deflate to nothing, with every byte in it."""
    return bytes((n * n >> 3 ^ n) & 0xFF for n in range(length))


def for_ram(segments: dict[int, bytes], entry: int) -> bytes:
    """An image of segments for RAM, as a linker for no flash makes one."""
    head = bytes([0xE9, len(segments), 2, 0x20]) + entry.to_bytes(4, "little") + b"\xee" + bytes(15)
    body = b"".join(struct.pack("<II", address, len(data)) + data for address, data in segments.items())
    image = (head + body).ljust((len(head + body) | 15), b"\0")
    return image + bytes([checksum(b"".join(segments.values()))])


@STUB
def test_it_tells_the_chip_and_its_flash(served, stub):
    told = esptool(served.plain_url, "flash-id", stub=stub)
    for line in (
        "ESP32-D0WD-V3 (revision v3.0)",
        "40MHz",
        "24:0a:c4:00:00:01",
        "Manufacturer: ef",
        "Device: 4016",
        "4MB",
    ):
        assert line in told
    assert ("stub" in served.events) == stub


def test_a_stub_that_runs_already_is_known_for_one(served):
    esptool(served.plain_url, "chip-id", after="no-reset-stub")
    told = esptool(served.plain_url, "flash-id")
    assert "Stub flasher is already running" in told
    assert "Device: 4016" in told


@pytest.mark.parametrize("command", ["chip-id", "read-mac"])
def test_it_tells_the_mac(served, command):
    assert "MAC:                24:0a:c4:00:00:01" in esptool(served.plain_url, command, stub=False)


@STUB
@pytest.mark.parametrize("how", ["--compress", "--no-compress"])
def test_what_it_writes_is_in_flash_and_verified(served, tmp_path, stub, how):
    file = tmp_path / "image.bin"
    file.write_bytes(pattern(0x2345))
    told = esptool(served.plain_url, "write-flash", how, "0x10000", file, stub=stub)
    assert "Hash of data verified" in told
    assert told.endswith("status 0")
    assert dump(served, 0x10000, 0x2345) == file.read_bytes()
    assert dump(served, 0xF000, 0x1000) + dump(served, 0x13000, 0x1000) == b"\xff" * 0x2000


def test_it_verifies_flash_and_notices_one_byte(served, tmp_path):
    file = tmp_path / "image.bin"
    file.write_bytes(b"\xff" * 0x1000)
    assert esptool(served.plain_url, "verify-flash", "0x1000", file, stub=False).endswith("status 0")
    file.write_bytes(b"\xff" * 0xFFF + b"\xfe")
    assert not esptool(served.plain_url, "verify-flash", "0x1000", file, stub=False).endswith("status 0")


@pytest.mark.parametrize(("stub", "length"), [(False, 0x150), (True, 0x21123)], ids=["no-stub", "stub"])
def test_it_reads_what_is_in_flash(served, tmp_path, stub, length):
    served.board.memory.flash.load(pattern(FLASH_SIZE // 4) * 4)
    assert esptool(served.plain_url, "read-flash", "0x1010", hex(length), tmp_path / "read.bin", stub=stub).endswith(
        "0"
    )
    assert (tmp_path / "read.bin").read_bytes() == dump(served, 0x1010, length)


@STUB
def test_it_erases_a_region_and_nothing_else(served, stub):
    served.board.memory.flash.load(bytes(FLASH_SIZE))
    assert esptool(served.plain_url, "erase-region", "0xf000", "0x12000", stub=stub).endswith("status 0")
    assert dump(served, 0xE000, 0x14000) == bytes(0x1000) + b"\xff" * 0x12000 + bytes(0x1000)


@STUB
def test_only_with_the_stub_it_erases_all_of_flash(served, stub):
    served.board.memory.flash.load(bytes(FLASH_SIZE))
    assert esptool(served.plain_url, "erase-flash", stub=stub).endswith("status 0") == stub
    assert dump(served, 0, FLASH_SIZE) == (b"\xff" if stub else b"\0") * FLASH_SIZE


def test_what_it_runs_is_no_loader_any_more(served):
    assert esptool(served.plain_url, "run", stub=False).endswith("status 0")
    assert not esptool(served.plain_url, "chip-id", stub=False, attempts=1).endswith("status 0")


def test_it_reads_and_writes_the_status_of_flash(served):
    esptool(served.plain_url, "write-flash-status", "--bytes", "2", "--non-volatile", "0x0204", stub=False)
    assert "0x0204" in esptool(served.plain_url, "read-flash-status", "--bytes", "2", stub=False)


def test_it_reads_that_flash_describes_itself(served):
    assert "53 46 44 50" in esptool(served.plain_url, "read-flash-sfdp", "0", "4", stub=False).replace("0x", "").upper()


def test_a_rate_that_both_ends_change_is_one(served, tmp_path):
    (tmp_path / "image.bin").write_bytes(pattern(0x800))
    told = esptool(served.plain_url, "--baud", "460800", "write-flash", "0", tmp_path / "image.bin", stub=False)
    assert "Hash of data verified" in told
    assert served.board.uart.baud == 460800


# -- memory ------------------------------------------------------------------------------------------------------------


@STUB
def test_what_it_writes_to_memory_it_reads_back(served, stub):
    for after in ({"after": "no-reset-stub"} if stub else {},) * 2:
        told = esptool(served.plain_url, "write-mem", "0x3ffb0004", "0x12345678", stub=stub, **after)
    assert told.endswith("status 0")
    assert "0x3ffb0004 = 0x12345678" in esptool(served.plain_url, "read-mem", "0x3ffb0004", stub=stub)


def test_it_dumps_the_rom_the_same_each_time(served, tmp_path):
    dumps = []
    for file in (tmp_path / "one.bin", tmp_path / "other.bin"):
        assert esptool(served.plain_url, "dump-mem", "0x40000000", "256", file, stub=False).endswith("status 0")
        dumps.append(file.read_bytes())
    assert dumps[0] == dumps[1]
    assert len(set(dumps[0])) > 16


@STUB
def test_it_loads_an_application_to_ram_that_is_no_loader(served, tmp_path, stub):
    file = tmp_path / "ram.bin"
    file.write_bytes(for_ram({0x3FFB0000: b"data", 0x40080000: pattern(0x2000)}, entry=0x40080010))
    told = esptool(served.plain_url, "load-ram", file, stub=stub)
    assert told.endswith("status 0")
    assert served.events[-1] == "ram:0x40080010"
    assert served.board.chip.ram.peek(0x40080000, 0x2000) == pattern(0x2000)
    assert not esptool(served.plain_url, "chip-id", stub=False, attempts=1).endswith("status 0")


@STUB
@pytest.mark.parametrize(("command", "told"), [
    (["get-security-info"], "Failed to get security info"),
    (["write-flash", "--encrypt", "0", "-"], "ncrypt"),
])  # fmt: skip
def test_it_is_told_what_this_chip_does_not_do(served, tmp_path, command, told, stub):
    file = tmp_path / "image.bin"
    file.write_bytes(pattern(0x100))
    answer = esptool(served.plain_url, *[file if word == "-" else word for word in command], stub=stub)
    assert told in answer
    assert not answer.endswith("status 0")
    assert dump(served, 0, 0x100) == b"\xff" * 0x100


@pytest.mark.parametrize("version", ["1", "2"])
def test_either_stub_that_it_brings_writes_verifies_and_erases(served, tmp_path, monkeypatch, version):
    monkeypatch.setenv("ESPTOOL_STUB_VERSION", version)
    file = tmp_path / "image.bin"
    file.write_bytes(pattern(0xA123))
    assert "Hash of data verified" in esptool(served.plain_url, "write-flash", "0x10000", file)
    served.into_download()
    assert esptool(served.plain_url, "verify-flash", "0x10000", file).endswith("status 0")
    served.into_download()
    assert esptool(served.plain_url, "erase-region", "0x10000", "0xb000").endswith("status 0")
    assert dump(served, 0x10000, 0xB000) == b"\xff" * 0xB000


# -- power -------------------------------------------------------------------------------------------------------------


def test_a_board_that_loses_power_says_nothing_more_but_its_bridge_stays(shared):
    shared.do(lambda: shared.board.power_off(shared.process.time.now()))
    told = esptool(shared.plain_url, "chip-id", stub=False, attempts=1)
    shared.do(lambda: shared.board.power_on(shared.process.time.now()))
    assert "No serial data received" in told


@STUB
def test_a_write_that_is_cut_leaves_a_prefix_of_it(served, tmp_path, monkeypatch, stub):
    (tmp_path / "esptool.cfg").write_text("[esptool]\ntimeout = 0.5\nwrite_block_attempts = 1\n")
    monkeypatch.setenv("ESPTOOL_CFGFILE", str(tmp_path / "esptool.cfg"))
    (tmp_path / "image.bin").write_bytes(pattern(0x2000))
    journal = served.board.memory.journal
    # The ROM erases two sectors that the stub finds blank; the file is written page by page: power goes before the
    # eleventh page.
    journal.fuse = (journal.next + (0 if stub else 2) + 10, None)
    told = esptool(served.plain_url, "write-flash", "--no-compress", "0x1000", tmp_path / "image.bin", stub=stub)
    assert not told.endswith("status 0")
    assert dump(served, 0x1000, 0x2000) == pattern(0x2000)[:0xA00].ljust(0x2000, b"\xff")
    served.do(lambda: served.board.power_on(served.process.time.now()))
