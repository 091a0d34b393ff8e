"""Flash has private keys in it: what keeps it, and what it is read into, is its owner's alone."""

from __future__ import annotations

import os
import stat

import pytest
from typer.testing import CliRunner

from rig.cli.main import app
from rig.families.esp32.lab.factory import ship_esp32
from rig.families.spark_core.lab.factory import ship_core
from rig.state_folder import keep, state_folder
from rig.terminal.memory import read_into
from rig.twin.flash_file import FlashFile
from tests.rig.families.spark_core.twin.models import MANIFEST, shipped_memory


@pytest.fixture(autouse=True)
def usual_umask():
    """What a shell has: without it nobody sees a file that is everybody's."""
    former = os.umask(0o022)
    yield
    os.umask(former)


def mode(path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_board_is_shipped_into_a_folder_that_only_its_owner_reads(tmp_path):
    ship_core(tmp_path / "core", MANIFEST)
    ship_esp32(tmp_path / "esp", MANIFEST.roles("esp32"))
    assert {mode(tmp_path / folder) for folder in ("core", "esp")} == {0o700}
    assert {mode(file) for file in tmp_path.glob("*/*")} == {0o600}


def test_files_and_folders_of_before_are_closed_when_a_twin_takes_them(tmp_path):
    old = tmp_path / "old"
    old.mkdir()
    memory = shipped_memory().internal
    (old / "internal.bin").write_bytes(memory.dump())
    FlashFile(state_folder(old) / "internal.bin", memory, b"").close()
    assert (mode(old), mode(old / "internal.bin")) == (0o700, 0o600)


def test_a_folder_with_others_files_stays_as_it_is(tmp_path):
    (tmp_path / "letters.txt").write_text("everybody's")
    tmp_path.chmod(0o755)
    assert mode(state_folder(tmp_path)) == 0o755


def test_what_is_kept_is_private_whatever_lies_beside_it(tmp_path):
    (tmp_path / "flash.bin.new").write_bytes(b"left by a process that was killed")
    keep(tmp_path / "flash.bin", b"key")
    assert mode(tmp_path / "flash.bin") == 0o600


def test_what_is_read_from_a_board_is_private(tmp_path):
    read_into(tmp_path / "dump.bin", 0, lambda _watch: b"key", as_json=True)
    assert mode(tmp_path / "dump.bin") == 0o600


def test_flash_after_one_start_is_private(tmp_path):
    memory = shipped_memory()
    (tmp_path / "i").write_bytes(memory.internal.dump())
    (tmp_path / "e").write_bytes(memory.external.dump())
    words = ["twin", "spark-core", "boot", "--internal", tmp_path / "i", "--external", tmp_path / "e"]
    assert CliRunner().invoke(app, [*map(str, words), "--out", str(tmp_path / "out")]).exit_code == 0
    assert {mode(file) for file in (tmp_path / "out").iterdir()} == {0o600}
    assert mode(tmp_path / "out") == 0o700
