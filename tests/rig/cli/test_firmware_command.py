"""`rig firmware` as somebody uses it who brings their own firmware: init, check, run; and releases that come and go."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from rig.cli.main import main
from rig.firmware.checkout import part
from rig.firmware.manifest import Manifest
from tests.rig.firmware.own_firmware import ASKS, content, image, lamp, written
from tests.rig.waiting import HANGS

Say = Callable[..., SimpleNamespace]


@pytest.fixture
def rig(tmp_path, monkeypatch, capsys) -> Say:
    """The command in this process and in an empty folder: its exit status, and what it printed."""
    monkeypatch.chdir(tmp_path)

    def say(*words: object) -> SimpleNamespace:
        monkeypatch.setattr(sys, "argv", ["rig", *map(str, words)])
        with pytest.raises(SystemExit) as ended:
            main()
        out, err = capsys.readouterr()
        return SimpleNamespace(status=ended.value.code or 0, out=out, err=err)

    return say


def test_a_first_manifest_is_right_as_it_is_written(tmp_path):
    """As a shell does it: two files of a build, two commands."""
    for name in ("old.bin", "new.bin"):
        (tmp_path / name).write_bytes(content(name))

    def shell(*words: str) -> str:
        command = [sys.executable, "-m", "rig", "firmware", *words]
        done = subprocess.run(command, capture_output=True, text=True, timeout=HANGS, cwd=tmp_path)
        assert (done.returncode, done.stderr) == (0, "")
        return done.stdout

    shell("init", "mine.toml", "--old", "old.bin", "--new", "new.bin")
    checked = shell("check", "mine.toml")
    assert "application for ESP32, ESP-IDF 5.1.2" in checked
    assert "nothing is wrong" in checked


@pytest.mark.parametrize("name", [b"raw-\xff.toml", b"two\nlines.toml", "\U0001f980.toml".encode()])
def test_a_first_manifest_may_have_any_name(rig, name):
    path = os.fsdecode(name)
    assert rig("firmware", "init", path, "--new", "new\x7f\U0001f980.bin").status == 0
    assert "new\x7f\U0001f980.bin" in tomllib.loads(Path(path).read_text())["image"][1]["file"]


@pytest.mark.parametrize("kind", ["esp32", "spark-core"])
def test_a_first_manifest_tells_which_files_are_to_come(rig, kind):
    assert rig("firmware", "init", "--board", kind).status == 0
    checked = rig("firmware", "check", "firmware.toml", "--json")
    output = json.loads(checked.out)
    assert (checked.status, output["ok"]) == (2, False)
    assert [fault["what"].partition(":")[0].partition("/")[0] for fault in output["faults"]] == ["cannot read "] * 2


def test_a_check_tells_images_faults_and_suites(rig, tmp_path):
    written(tmp_path, lamp(new="large.bin", more=ASKS))
    checked = rig("firmware", "check", "mine.toml", "--json")
    output = json.loads(checked.out)
    images = {one["name"]: one for one in output["images"]}
    suites = {one["suite"]: one for one in output["suites"]}
    assert checked.status == 2
    assert (images["lamp-old"]["idf"], images["lamp-old"]["room"], images["lamp-old"]["roles"]) == (
        "5.1.2", 1_740_800, ["old"],
    )  # fmt: skip
    assert [fault["name"] for fault in output["faults"]] == ["lamp-new"]
    assert suites["https_faults"]["on_twins"] == {"cases": suites["https_faults"]["cases"], "not_run": {}}
    assert suites["https_faults"]["on_boards"]["cases"] == 0


MISUSE = {
    "a manifest that is there": (["init", "mine.toml"], "mine.toml is there already"),
    "a board that nobody knows": (["init", "--board", "toaster"], "no kind of board is called 'toaster'"),
    "files of two kinds": (["init", "--old", "old.bin", "--new", "core.bin"], "these are for esp32 and spark-core"),
    "a file that is no firmware": (["init", "--old", "readme.bin"], "readme.bin is a text file, not an application"),
    "a file whose name is no text": (["init", "--old", "old\udcff.bin"], "no TOML file can hold a name"),
    "a file for another chip": (
        ["init", "--old", "c3.bin"],
        "is an application for ESP32-C3, ESP-IDF 5.4.2, and no board",
    ),
    "a check of nothing": (["check", "nowhere.toml"], "cannot read the manifest"),
    "a part for nobody": (["check", "broken.toml"], "there is no role older"),
    "a release that was not added": (["remove", "core-9", "--manifest", "mine.toml"], "no release 'core-9' was added"),
    "an image of the manifest itself": (["remove", "lamp-old", "--manifest", "mine.toml"], "it is in mine.toml itself"),
}


@pytest.mark.parametrize("case", MISUSE)
def test_misuse_is_one_line_and_changes_nothing(rig, tmp_path, case):
    words, reason = MISUSE[case]
    before = written(tmp_path, lamp()).read_text()
    (tmp_path / "readme.bin").write_bytes(content("readme.bin"))
    (tmp_path / "c3.bin").write_bytes(content("c3.bin"))
    (tmp_path / "broken.toml").write_text(lamp() + 'older = "lamp-old"\n')
    done = rig("firmware", *words)
    assert (done.status, len(done.err.splitlines())) == (2, 1), done.err
    assert reason in done.err
    assert (tmp_path / "mine.toml").read_text() == before
    assert not (tmp_path / "firmware.toml").exists()


@pytest.fixture
def files(tmp_path):
    """A manifest with two releases beside it."""
    manifest = tmp_path / "mine.toml"
    manifest.write_text("")
    for name in ("core-1", "core-2"):
        (tmp_path / "releases").mkdir(exist_ok=True)
        (tmp_path / "releases" / f"{name}.bin").write_bytes(content("core.bin") + name.encode())
    entries = [image(name, f"{name}.bin", "spark-core", 'version = "1"') for name in ("core-1", "core-2")]
    (tmp_path / "releases" / "manifest.toml").write_text("# Kept by hand too.\n" + "".join(entries))
    return manifest


def test_a_release_that_is_removed_is_gone_with_its_file(rig, files):
    removed = rig("firmware", "remove", "core-1", "--manifest", files, "--json")
    assert json.loads(removed.out)["removed"] == "core-1"
    assert Manifest.load(files).releases("spark-core") == ["core-2"]
    assert [file.name for file in sorted((files.parent / "releases").iterdir())] == ["core-2.bin", "manifest.toml"]
    assert "Kept by hand" in (files.parent / "releases" / "manifest.toml").read_text()


def test_a_release_with_a_part_is_not_removed(rig, files):
    files.write_text('[roles.spark-core]\nnew = "core-1"\n')
    refused = rig("firmware", "remove", "core-1", "--manifest", files)
    assert (refused.status, refused.err.count("has a part for 'core-1'")) == (2, 1)
    assert Manifest.load(files).releases("spark-core") == ["core-1", "core-2"]


def test_a_list_cuts_no_name(rig, tmp_path):
    name = "a-name-of-an-image-that-is-longer-than-any-terminal-" + "x" * 60
    written(tmp_path, image(name, "core.bin", "spark-core", 'version = "1"'))
    assert name in rig("firmware", "list", "--manifest", "mine.toml").out
    shutil.copy(part("firmware-fixtures", "manifest.toml"), tmp_path / "copy.toml")
    listed = rig("firmware", "list", "--manifest", "copy.toml").out
    assert all(name in listed for name in Manifest.load(tmp_path / "copy.toml").entries)
