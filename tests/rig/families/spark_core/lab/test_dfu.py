"""`rig dfu` by hand: files as dfu-util takes them, and boards on a USB/IP server."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys

import pytest

from rig.errors import LabFault, Misuse
from rig.families.spark_core.lab.dfu import Where, Write, find_devices, read_memory, the_device, write_memory
from rig.families.spark_core.lab.dfu_files import load_file
from rig.formats.dfu_suffix import ANY, DfuSuffix, add_suffix, split_suffix
from tests.rig.families.spark_core.twin.models import ROLES
from tests.rig.waiting import HANGS

NEW = ROLES["new"]
CORE = DfuSuffix(0x1D50, 0x607F)


def where(board) -> Where:
    return Where(f"{board.host}:{board.usbip_port}")


def test_a_device_tells_its_serial_and_its_memories(blank):
    (found,) = find_devices(where(blank))
    assert (found.identity, found.serial) == ("1d50:607f", "8D81306E5055")
    assert [segment.writable for segment in found.segments] == [False, True, True]


def test_what_was_written_with_a_suffix_is_read_back_without_it(blank, tmp_path):
    found = the_device(where(blank))
    file = tmp_path / "new.dfu"
    file.write_bytes(add_suffix(NEW.data, CORE))
    write_memory(found, Write(load_file(file, found)), lambda _progress: None)
    assert read_memory(found, 0x0800_5000, len(NEW), lambda _progress: None) == NEW.data
    assert len(read_memory(found, 0x0800_5000, None, lambda _progress: None)) == 110_592


def test_the_command_writes_leaves_and_tells_what_it_did(blank, tmp_path):
    file = tmp_path / "new.bin"
    file.write_bytes(NEW.data)
    words = ["write", str(file), "--leave", "--json", "--usbip", f"{blank.host}:{blank.usbip_port}"]
    done = subprocess.run([sys.executable, "-m", "rig", "dfu", *words], capture_output=True, text=True, timeout=HANGS)
    output = json.loads(done.stdout)
    assert (done.returncode, output["written"], output["sha256"], output["left"]) == (0, len(NEW), NEW.sha256, True)


DAMAGE = {
    "one byte changed": (lambda d: d[:100] + b"x" + d[101:], "CRC"),
    "cut in front": (lambda d: d[50:], "CRC"),
    "a suffix longer than the file": (lambda d: d[-16:-5] + b"\xff" + d[-4:], "says it is 255 bytes"),
}


@pytest.mark.parametrize("case", DAMAGE)
def test_a_damaged_file_is_refused(case):
    damage, reason = DAMAGE[case]
    with pytest.raises(Misuse, match=reason):
        split_suffix(damage(add_suffix(NEW.data, CORE)), "new.dfu")


def test_a_file_for_another_device_is_refused(blank, tmp_path):
    file = tmp_path / "stm32.dfu"
    file.write_bytes(add_suffix(NEW.data, DfuSuffix(0x0483, 0xDF11)))
    with pytest.raises(Misuse, match="is for 0483:df11"):
        load_file(file, the_device(where(blank)))
    assert DfuSuffix(ANY, ANY).fits(0x1D50, 0x607F)


@pytest.mark.skipif(shutil.which("dfu-suffix") is None, reason="dfu-util is not installed")
def test_dfu_suffix_itself_reads_ours_and_we_read_its(tmp_path):
    ours, theirs = tmp_path / "ours.dfu", tmp_path / "theirs.dfu"
    ours.write_bytes(add_suffix(NEW.data, CORE))
    said = subprocess.run(["dfu-suffix", "-c", ours], capture_output=True, text=True, check=True).stdout
    assert "0x607F" in said
    theirs.write_bytes(NEW.data)
    subprocess.run(["dfu-suffix", "-v", "1d50", "-p", "607f", "-a", theirs], capture_output=True, check=True)
    assert split_suffix(theirs.read_bytes(), "theirs") == (NEW.data, DfuSuffix(0x1D50, 0x607F, ANY, 0x0100))


WRONG = {
    "no server": (lambda core: find_devices(Where("127.0.0.1:1")), LabFault, "no USB/IP server"),
    "no port": (lambda core: find_devices(Where("somewhere")), Misuse, "not HOST:PORT"),
    "another serial": (lambda core: the_device(Where(where(core).usbip, "123")), LabFault, "with serial 123"),
    "an address in no memory": (
        lambda core: read_memory(the_device(where(core)), 0x2000_0000, 4, lambda _p: None), Misuse, "in no memory",
    ),
    "more than there is": (
        lambda core: read_memory(the_device(where(core)), 0x0800_5000, 110_593, lambda _p: None), Misuse, "has 110,592",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", WRONG)
def test_what_is_wrong_is_said(blank, case):
    act, error, reason = WRONG[case]
    with pytest.raises(error, match=reason):
        act(blank)
