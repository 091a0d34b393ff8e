"""Genuine releases: added by file or URL, checked, and run by every suite. The "releases" here are noise."""

from __future__ import annotations

import hashlib
import http.server
import json
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from rig.errors import LabFault, Misuse
from rig.families.esp32.firmware.recipes import EspAppRecipe
from rig.firmware.checkout import part
from rig.firmware.manifest import Manifest
from rig.firmware.recipe import NoiseRecipe
from rig.firmware.releases import Release, add_release, fetch
from rig.formats.dfu_suffix import DfuSuffix, add_suffix
from tests.rig.waiting import HANGS

IMAGE = NoiseRecipe(kind="noise", seed="release", length=5000, word0=0x2000_5000, word1=0x0800_516D).build()
SHA256 = hashlib.sha256(IMAGE).hexdigest()
RELEASE = Release("core-0.2.1", "spark-core", "0.2.1", "ok")


def silent(_come, _total) -> None:
    return None


@pytest.fixture
def manifest(tmp_path):
    return shutil.copy(part("firmware-fixtures", "manifest.toml"), tmp_path / "manifest.toml")


@pytest.fixture
def site(tmp_path):
    """A web server with one release."""
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "core.bin").write_bytes(IMAGE)

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *args):
            super().__init__(*args, directory=str(tmp_path / "site"))

        def log_message(self, *_args):
            return None

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Quiet) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_a_release_is_fetched_checked_and_listed(manifest, site):
    file = add_release(manifest, RELEASE, fetch(f"{site}/core.bin", SHA256, silent))
    assert file.read_bytes() == IMAGE
    known = Manifest.load(manifest)
    assert known.releases("spark-core") == ["core-0.2.1"]
    assert known.image("core-0.2.1").sha256 == SHA256
    assert known.trying("core-0.2.1").roles("spark-core")["new"].name == "core-0.2.1"
    assert known.roles("spark-core")["new"].name == "core-new"


def test_a_suffix_that_names_another_device_is_refused(manifest):
    with pytest.raises(Misuse, match="for a device 0483:df11, not for a spark-core"):
        add_release(manifest, RELEASE, add_suffix(IMAGE, DfuSuffix(0x0483, 0xDF11)))


def test_a_suffix_is_stripped_before_a_release_is_kept(manifest):
    file = add_release(manifest, RELEASE, add_suffix(IMAGE, DfuSuffix(0x1D50, 0x607F)))
    assert file.read_bytes() == IMAGE


def test_a_second_release_is_added_to_the_first(manifest):
    add_release(manifest, RELEASE, IMAGE)
    add_release(manifest, Release("core-0.2.2", "spark-core", "0.2.2", "crashes"), IMAGE + b"2")
    assert Manifest.load(manifest).releases("spark-core") == ["core-0.2.1", "core-0.2.2"]


WRONG = {
    "another hash": (lambda m, s: fetch(f"{s}/core.bin", "0" * 64, silent), Misuse, "has sha256"),
    "no such page": (lambda m, s: fetch(f"{s}/other.bin", SHA256, silent), LabFault, "404"),
    "no such file": (lambda m, s: fetch("/nowhere.bin", SHA256, silent), Misuse, "cannot read"),
    "no server": (lambda m, s: fetch("http://127.0.0.1:1/x", SHA256, silent), LabFault, "cannot fetch"),
    "another scheme": (lambda m, s: fetch("file:///etc/passwd", SHA256, silent), Misuse, "neither https"),
    "a name of a fixture": (
        lambda m, s: add_release(m, Release("core-old", "spark-core", "1", "ok"), IMAGE), Misuse, "is there already",
    ),
    "a wrong behaviour": (
        lambda m, s: add_release(m, Release("core-x", "spark-core", "1", "maybe"), IMAGE), Misuse, "runs: ",
    ),
    "a name that leaves the folder": (
        lambda m, s: add_release(m, Release("../x", "spark-core", "1", "ok"), IMAGE), Misuse, "name: ",
    ),
    "noise for an ESP32": (
        lambda m, s: add_release(m, Release("esp32-x", "esp32", "1", "ok"), IMAGE), Misuse, "nothing an ESP32 would",
    ),
    "the same image twice": (
        lambda m, s: add_release(m, RELEASE, Manifest.load(m).image("core-new").data), Misuse, "is the same image",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", WRONG)
def test_what_is_wrong_is_said_and_nothing_is_kept(manifest, site, case):
    act, error, reason = WRONG[case]
    with pytest.raises(error, match=reason):
        act(manifest, site)
    assert Manifest.load(manifest).releases("spark-core") == []


def test_what_an_esp32_would_start_is_added(manifest):
    content = EspAppRecipe(kind="esp-app", seed="release", version="9.0.0").build()
    add_release(manifest, Release("esp32-9", "esp32", "9.0.0", "ok"), content)
    assert Manifest.load(manifest).releases("esp32") == ["esp32-9"]


def test_every_suite_that_takes_an_image_runs_with_a_release_too(manifest):
    add_release(manifest, RELEASE, IMAGE)
    words = [
        "--collect-only",
        "-q",
        "--rig-manifest",
        str(manifest),
        str(part("tests", "boards", "spark_core", "test_dfu.py")),
    ]
    done = subprocess.run([sys.executable, "-m", "pytest", *words], capture_output=True, text=True, timeout=HANGS)
    names = [line for line in done.stdout.splitlines() if "update_runs" in line]
    assert sum("core-0.2.1" in name for name in names) == sum("synthetic" in name for name in names) == 6


def test_the_command_lists_builds_and_adds(manifest, tmp_path):
    def rig(*words):
        command = [sys.executable, "-m", "rig", "firmware", *map(str, words), "--manifest", str(manifest), "--json"]
        return json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)

    (tmp_path / "core.bin").write_bytes(IMAGE)
    rig("add", tmp_path / "core.bin", "--sha256", SHA256, "--name", "core-0.2.1", "--version", "0.2.1")
    listed = {row["name"]: row for row in rig("list")["images"]}
    assert (listed["core-0.2.1"]["size"], listed["core-new"]["roles"]) == (5000, ["new"])
    (file,) = rig("build", tmp_path / "out", "--name", "core-0.2.1")["files"]
    assert Path(file).read_bytes() == IMAGE
