"""A board that is not what its place says: its bootloader, its revision, its flash are asked of the board itself."""

from __future__ import annotations

import json
import re
from contextlib import closing
from types import SimpleNamespace

import pytest

from rig.families.esp32.lab.factory import ship_esp32
from rig.families.spark_core.lab.factory import ship_core
from rig.firmware.checkout import part
from tests.boards.long_cases import some_always
from tests.rig.families.spark_core.twin.models import MANIFEST
from tests.rig.lab.test_lab import rig_lab
from tests.rig.rack.rig_up import Up
from tests.rig.suites.rig_run import rig_run

PLACES = part("places", "virtual.yaml")


def ship_unlisted(folder, generation: str) -> None:
    """A Core whose bootloader is a build that nobody has listed."""
    ship_core(folder, MANIFEST, generation)
    flash = bytearray((folder / "internal.bin").read_bytes())
    flash[0x100] ^= 0xFF
    (folder / "internal.bin").write_bytes(bytes(flash))


def rack(state, generation: str, *options: str):
    up = Up("--state", str(state), "--generation", generation, "--time-scale", "0.1", *options)
    return closing(SimpleNamespace(close=up.end, up=up))


@pytest.fixture(scope="module")
def up(tmp_path_factory):
    """A c7 that nobody lists, an a that is listed, and an ESP32 of revision v3.0 with 2 MB of flash."""
    state = tmp_path_factory.mktemp("state")
    ship_unlisted(state / "core-01", "c7")
    ship_core(state / "core-02", MANIFEST, "a")
    ship_esp32(state / "esp32-01", MANIFEST.roles("esp32"), 2 << 20)
    with rack(state, "c7", "--cores", "2", "--esp32s", "1") as running:
        yield running.up


def run(up, folder, place: str, which: str):
    """The exit status of a run of one test in one place, what came of it, and what was said beside."""
    words = ["--json", "--report", folder / "r", "--rack", PLACES, "--place", place, "-k", which]
    done = rig_run(*words, "--coordinator", up.coordinator)
    events = [json.loads(line) for line in done.stdout.splitlines()]
    (finished,) = (event for event in events if event["event"] == "finished")
    return done.returncode, finished, done.stderr + done.stdout


#: The place, the tag that is put there, a test, and what is said of it.
WRONG = {
    "a bootloader that is listed": (
        "core-02",
        "generation=b",
        "interleaved-b",
        "this has a .*core-02 set-tags gene.*=a`",
    ),
    "a later c that nobody lists": ("core-01", "generation=b", "interleaved-b", "this has c7 .*core-01 set-.*=c7`"),
    "a chip's revision": ("esp32-01", "revision=v1.0", "serial and reads_back", "this one is v3.0 .*revision=v3.0`"),
}


@pytest.mark.parametrize("case", some_always(WRONG, "a chip's revision"))
def test_a_board_that_is_not_what_its_place_says_is_a_lab_fault_with_the_line_that_mends_it(up, tmp_path, case):
    place, tag, which, said = WRONG[case]
    right = re.search(rf"\b{tag.partition('=')[0]}=[^,\s]+", up.client("-p", place, "show"))[0]
    up.client("-p", place, "set-tags", tag)
    status, finished, _ = run(up, tmp_path, place, which)
    up.client("-p", place, "set-tags", right)
    assert (status, finished["result"]) == (3, "lab fault"), finished
    assert re.search(rf"the tag {tag} is another .*{said}", finished["message"]), finished["message"]
    assert "quarantine" not in up.client("-p", place, "show")


@pytest.mark.long
def test_less_flash_than_the_second_stage_is_for_is_told_before_anything_is_written(up, tmp_path):
    status, finished, _ = run(up, tmp_path, "esp32-01", "serial and reads_back")
    assert (status, finished["result"]) == (2, "misuse")
    assert "its chip has 2 MB of flash, and the second stage is for 4 MB" in finished["message"]


@pytest.mark.long
def test_a_bring_up_tells_the_generation_of_a_build_that_nobody_lists(up):
    up.client("-p", "core-01", "set-tags", "generation=b")
    assert rig_lab(up, "bring-up", "core-01")[1][0]["board"]["generation"] == "c7"
    assert "generation=c7" in up.client("-p", "core-01", "show")


@pytest.mark.long
def test_where_nothing_tells_it_that_is_said_and_the_test_is_run(tmp_path):
    ship_unlisted(tmp_path / "state" / "core-01", "b")
    with rack(tmp_path / "state", "b", "--cores", "1") as running:
        status, finished, said = run(running.up, tmp_path, "core-01", "interleaved-b")
    assert (status, finished["result"]) == (0, "passed")
    assert "core-01: nothing tells whether its bootloader is of generation b: 13,720 bytes with sha256 " in said
    assert "list it in your manifest as [[bootloader]]" in said
