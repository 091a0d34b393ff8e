"""The deep update on the model: what a cut in each window costs, attempts that are counted, consent, the way chosen."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from rig.errors import Misuse
from rig.families.spark_core.campaign.deep_update import OVER_THE_AIR, OVER_USB, choose_path
from rig.families.spark_core.firmware.deep_updates import load_deep_updates
from rig.families.spark_core.formats import flash as layout
from rig.families.spark_core.formats.flash import SystemFlags
from rig.families.spark_core.twin.radio import Eeprom, Radio, factory_mac
from rig.firmware.checkout import part
from tests.rig.families.spark_core.twin.models import MANIFEST, core_in_memory, shipped_memory
from tests.rig.waiting import HANGS

OWN = "08:00:28:aa:bb:cc"
IMAGE = MANIFEST.roles("spark-core")["deep_update"]


def patching_core(**eeprom):
    """A Core whose application patches the radio at its start."""
    memory = shipped_memory()
    internal = bytearray(memory.internal.dump())
    start = layout.APP_ADDRESS - layout.INTERNAL_BASE
    internal[start : start + len(IMAGE)] = IMAGE.data
    memory.internal.load(bytes(internal))
    board = core_in_memory(memory)
    board.radio = Radio(Eeprom(profiles=["lab"], mac=OWN, **eeprom))
    return board


def events(board):
    return [event.name for event in board.events]


def run_until(board, event):
    while event not in events(board):
        assert board.step(), f"{event} never comes"


def test_a_radio_is_patched_and_the_network_forgotten():
    board = patching_core()
    board.power_on(0)
    board.advance(60)
    eeprom = board.radio.eeprom
    assert (eeprom.version, eeprom.mac, eeprom.calibration, eeprom.profiles) == ("1.28", OWN, "own", [])
    assert (board.usb.identity, board.console.open) == ("1d50:607d", True)
    assert SystemFlags.unpack(board.memory.flags16()[:10]).nvmem == 0


INVENTED = factory_mac(bytes.fromhex("48ff6d065067555026311387"))
#: A cut in this window, and what the radio is after the next start: version, address, calibration; None is lost.
WINDOWS = {
    "table": ("1.28", INVENTED, "default"),
    "calibration": ("1.28", INVENTED, "default"),
    "address": ("1.28", INVENTED, "own"),
    "driver": None,
    "firmware": None,
}


@pytest.mark.parametrize("window", WINDOWS)
def test_a_cut_in_a_window_is_recoverable_or_loses_the_radio(window):
    board = patching_core()
    board.power_on(0)
    run_until(board, f"eeprom:{window}")
    board.power_off(board.time + 0.05)
    board.power_on(board.time + 1)
    board.advance(board.time + 60)
    eeprom = board.radio.eeprom
    if WINDOWS[window] is None:
        assert ("radio-blocked" in events(board), board.usb, eeprom.joins) == (True, None, False)
    else:
        assert (eeprom.version, eeprom.mac, eeprom.calibration) == WINDOWS[window]


@pytest.mark.parametrize(("refusals", "attempts", "version"), [(0, 1, "1.28"), (2, 3, "1.28"), (9, 5, "1.24")])
def test_attempts_are_counted_and_five_are_enough(refusals, attempts, version):
    board = patching_core(refusals=refusals)
    board.power_on(0)
    board.advance(200)
    assert [name for name in events(board) if name.startswith("deep-update:")] == [
        f"deep-update:{number}" for number in range(attempts)
    ]
    assert board.radio.eeprom.version == version


def update(core, applied):
    return {"kind": "update", "core": core, "applied": applied}


HISTORIES = {
    "nothing is known": ([], OVER_USB),
    "the last three were applied": ([update("a", False)] + [update("a", True)] * 3, OVER_THE_AIR),
    "one of them was not": ([update("a", True), update("a", False), update("a", True)], OVER_USB),
    "only two were": ([update("a", True)] * 2, OVER_USB),
    "another board's were": ([update("b", True)] * 3, OVER_USB),
}


@pytest.mark.parametrize("case", HISTORIES)
def test_the_way_is_chosen_by_what_the_ledger_says_of_the_board(case):
    lines, way = HISTORIES[case]
    assert choose_path(lines, "a", 3) == way


def test_without_consent_instructions_are_shown_and_nothing_is_sent(tmp_path):
    command = [sys.executable, "-m", "rig", "deep-update", "core-01", "--ledger", str(tmp_path / "ledger.jsonl")]
    env = {**os.environ, "LG_COORDINATOR": "127.0.0.1:9"}
    done = subprocess.run(command, capture_output=True, text=True, timeout=HANGS, env=env)
    assert done.returncode == 2, "misuse, though no coordinator answers: nobody was asked"
    assert "keep the board powered until its LED blinks blue" in done.stderr
    assert done.stderr.strip().endswith(
        "nobody consents: nothing was sent (hint: --consent NAME, by whoever answers for the board)"
    )
    assert not (tmp_path / "ledger.jsonl").exists()


BROKEN = {
    "no instructions": ("instructions", "", "instructions"),
    "a time that is none": ("seconds = 120", "seconds = -1", "seconds"),
    "a field nobody knows": ("radio =", "colour = 1\nradio =", "colour"),
    "no TOML": ("[[deep-update]]", "[[deep-update", "is not TOML"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_a_broken_description_is_named(tmp_path, case):
    old, new, named = BROKEN[case]
    text = part("firmware-fixtures", "deep-updates.toml").read_text()
    path = tmp_path / "deep.toml"
    path.write_text(text.replace(old, new) if new else text[: text.index(f"{old} =")])
    with pytest.raises(Misuse, match=named):
        load_deep_updates(path)
