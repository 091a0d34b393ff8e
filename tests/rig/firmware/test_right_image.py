"""The right image for the right board: what is faulty, or noise, is refused by every verb that would give it to one."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys

import pytest

from rig.trust.recipe import IdentityRecipe
from rig.trust.web_pki import WebPki
from tests.rig.cli.hostile_words import verbs
from tests.rig.firmware.checks_right_image import FAULT, FAULTY, GIVING, MINE
from tests.rig.firmware.own_firmware import content, written
from tests.rig.rack.rig_up import Up
from tests.rig.waiting import HANGS

#: All verbs that give a board, or a twin of one, what a manifest says.
GIVE = {
    **GIVING,
    "run": "run -k erasing",
    "up": "up --cores 1",
    "twin spark-core": "twin spark-core --state twin",
    "twin esp32": "twin esp32 --state twin",
    "sweep": "sweep spark-core server-key",
    "replay": "replay spark-core server-key old=000000000000 new=000000000000 cut=0:before ended=old/self",
}
CORE = hashlib.sha256(content("core.bin")).hexdigest()
#: Verbs that give no board anything: they look after a manifest, or judge firmware in the field by it. What is wrong
#: with one is for `firmware check` to tell.
LOOK = {
    "firmware list": "firmware list",
    "firmware build": "firmware build out",
    "firmware add": f"firmware add core.bin --name a --version 1 --sha256 {CORE}",
    "firmware remove": "firmware remove a",
    "trust timeline": "trust timeline",
    "trust swap": "trust swap a@127.0.0.1:9 --name a --live-chain /a --live-key /b --chain c.pem --key k.pem --pins .",
}


def rig(folder, words: str, manifest) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "rig", *words.split(), "--manifest", str(manifest)]
    return subprocess.run(command, capture_output=True, text=True, timeout=HANGS, cwd=folder)


def test_every_verb_that_takes_a_manifest_is_known_here():
    known = {str(verb) for verb in verbs() if any(param.name == "manifest" for param in verb.params)}
    assert known == {*GIVE, *LOOK, "firmware check"}


@pytest.mark.parametrize("verb", GIVE)
def test_a_faulty_manifest_is_refused_before_a_board_is_touched(tmp_path, verb):
    done = rig(tmp_path, GIVE[verb], written(tmp_path, FAULTY))
    assert (done.returncode, FAULT in done.stderr) == (2, True), done.stderr
    assert not list(tmp_path.glob("twin/*.bin")), "no flash is made of it"


@pytest.fixture(scope="module")
def identity():
    """For a swap: it is of somebody's own server."""
    return WebPki.make(seed=None).issue("a", IdentityRecipe())


@pytest.mark.parametrize("verb", {**GIVE, **LOOK})
def test_a_manifest_that_cannot_be_read_is_refused_in_one_line(tmp_path, identity, verb):
    path = written(tmp_path, MINE + 'colour = "pink"')
    (tmp_path / "c.pem").write_bytes(identity.chain_pem)
    (tmp_path / "k.pem").write_bytes(identity.key_pem)
    done = rig(tmp_path, {**GIVE, **LOOK}[verb], path)
    said = [line for line in done.stderr.splitlines() if line.startswith("rig: ")]
    assert (done.returncode, len(said), str(path) in said[0]) == (2, 1, True), done.stderr


@pytest.fixture(scope="module")
def mine(tmp_path_factory):
    return written(tmp_path_factory.mktemp("mine"), MINE)


@pytest.fixture(scope="module")
def up(mine):
    """Two Cores that know somebody's image, too."""
    rack = Up("--cores", "2", "--time-scale", "0.1", "--manifest", str(mine))
    yield rack
    rack.end()


def brought_up(up, *words: object) -> tuple[int, dict[str, str]]:
    """The exit status of a bring-up of both boards, and the fault of each place."""
    command = [sys.executable, "-m", "rig", "lab", "bring-up", "--all", "--json", *map(str, words)]
    done = subprocess.run([*command, "--coordinator", up.coordinator], capture_output=True, text=True, timeout=HANGS)
    return done.returncode, {row["place"]: row["fault"] for row in map(json.loads, done.stdout.splitlines())}


def test_a_bring_up_gives_noise_to_twins_only_and_goes_on_with_them(up):
    up.client("-p", "core-01", "set-tags", "synthetic=")
    status, faults = brought_up(up)
    assert (status, faults["core-02"]) == (2, "")
    assert (
        "core-new is noise of the rig's own, and core-01 is no place of a twin (hint: name your images with"
        in faults["core-01"]
    )
    assert "`labgrid-client -p core-01 set-tags synthetic=yes`" in faults["core-01"]
    assert "quarantine" not in up.client("-p", "core-01", "show"), "it says nothing of the board"


def test_a_bring_up_with_ones_own_image_needs_no_tag(up, mine):
    up.client("-p", "core-01", "set-tags", "synthetic=")
    assert brought_up(up, "--manifest", mine) == (0, {"core-01": "", "core-02": ""})
