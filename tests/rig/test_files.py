"""Files that people name: what is none, or endless, or cannot be written, is one line that names it."""

from __future__ import annotations

import errno
import subprocess
import sys

import pytest

from rig import files
from rig.errors import LabFault, Misuse

ODD = {
    "nothing of this name": (lambda folder: folder / "nothing", "No such file"),
    "a folder": (lambda folder: folder, "it is no file"),
    "a name that is too long": (lambda folder: folder / ("n" * 300), "File name too long"),
    "a file for a folder": (lambda folder: folder / "a.txt" / "b", "Not a directory"),
    "an endless device": (lambda folder: folder / "/dev/zero", "it is no file"),
    "a link that leads to itself": (lambda folder: _link(folder / "loop", "loop"), "Too many levels"),
    "a link to an endless device": (lambda folder: _link(folder / "zero", "/dev/zero"), "it is no file"),
    "a zero byte in the name": (lambda folder: folder / "a\0b", "no name of a file"),
    "a terminal": (lambda folder: folder / "/dev/ptmx", "it is no file"),
}


def _link(path, target):
    path.symlink_to(target)
    return path


@pytest.mark.parametrize("case", ODD)
def test_what_is_no_file_is_told_at_once(tmp_path, case):
    (tmp_path / "a.txt").write_text("x")
    make, reason = ODD[case]
    with pytest.raises(Misuse, match=reason) as raised:
        files.read_user_file(make(tmp_path), 100)
    assert str(raised.value).isprintable()


def test_a_large_file_is_refused_without_being_read(tmp_path):
    with (tmp_path / "large").open("wb") as file:
        file.truncate(1 << 40)
    with pytest.raises(Misuse, match=r"larger than 8,388,608 bytes \(hint: is it the file"):
        files.read_text(tmp_path / "large")


def test_what_is_no_text_is_told_with_the_byte(tmp_path):
    (tmp_path / "a").write_bytes(b"abc\xff")
    with pytest.raises(Misuse, match=r"no text in UTF-8 \(byte 3\)"):
        files.read_text(tmp_path / "a")


FAULTS = {
    errno.ENOSPC: LabFault,
    errno.EDQUOT: LabFault,
    errno.EIO: LabFault,
    errno.ENOENT: Misuse,
    errno.EROFS: Misuse,
}


@pytest.mark.parametrize("number", FAULTS)
def test_what_cannot_be_written_is_named_and_so_is_what_to_do(tmp_path, number):
    with pytest.raises(FAULTS[number], match=r"cannot write .*report: .* \(hint: .+\)$"), files.writing("report"):
        raise OSError(number, "it is so")


def test_the_standard_output_on_a_full_disk_is_one_line():
    command = [sys.executable, "-m", "rig", "firmware", "list", "--json"]
    with open("/dev/full", "w") as full:
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 3
    assert done.stderr == (
        "rig: cannot use the output: No space left on device (hint: make room, or name a place on another disk)\n"
    )
