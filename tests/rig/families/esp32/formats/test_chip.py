"""The ESP32 itself: its revision and MAC, and its eFuses, which are burned once and for all."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rig.errors import Misuse
from rig.families.esp32.twin import efuses
from rig.families.esp32.twin.chip import Chip


@pytest.mark.parametrize("revision", [0, 100, 200, 300, 301])
def test_a_chip_is_of_the_revision_it_was_made(revision):
    chip = Chip(revision=revision)
    assert (chip.revision, chip.model.revision) == (revision, revision)
    assert ("2019" in chip.banner) == (revision >= 300)


@given(st.binary(min_size=6, max_size=6))
def test_a_chip_has_the_mac_it_was_given(mac):
    assert Chip(mac).mac == mac


NO_CHIPS = {
    "no such revision": {"revision": 400},
    "no such minor revision": {"revision": 104},
    "no MAC": {"mac": b"12345"},
    "no such package": {"package": 16},
    "eFuses of another chip": {"efuses": bytes(10)},
}


@pytest.mark.parametrize("name", NO_CHIPS)
def test_what_no_esp32_can_be_is_refused(name):
    with pytest.raises(Misuse):
        Chip(**NO_CHIPS[name])


def test_burned_bits_stay_through_resets_and_files():
    chip, kept = Chip(), []
    chip.on_burn = lambda: kept.append(chip.efuses)
    chip.raise_secure_version(3)
    chip.raise_secure_version(2)
    chip.reset()
    assert (chip.secure_version, len(kept)) == (3, 1)
    assert Chip(efuses=kept[0]).secure_version == 3
    with pytest.raises(Misuse):
        chip.raise_secure_version(33)


def test_the_controller_burns_only_on_its_command_and_shows_it_on_another():
    chip, word = Chip(), efuses.BASE + 0x78 + 16
    chip.write(efuses.BASE + 0xD8 + 16, 0b111)
    chip.write(efuses.BASE + efuses.COMMAND, 2)
    assert chip.secure_version == 0
    chip.write(efuses.BASE + efuses.CONF, 0x5A5A)
    chip.write(efuses.BASE + efuses.COMMAND, 2)
    assert (chip.secure_version, chip.read(word), chip.read(efuses.BASE + efuses.COMMAND)) == (3, 0, 0)
    chip.write(efuses.BASE + efuses.CONF, 0x5AA5)
    chip.write(efuses.BASE + efuses.COMMAND, 1)
    assert chip.read(word) == 0b111


def test_protected_blocks_are_neither_burned_nor_shown():
    fuses = efuses.Efuses()
    fuses.burn(1, 0, 0xAA)
    fuses.burn(0, 0, 1 << 7 | 1 << 16)
    fuses.burn(1, 0, 0x55)
    fuses.burn(3, 0, 0x55)
    fuses.reset()
    assert (fuses.word(1, 0), fuses.read(0x38), fuses.read(0x78)) == (0xAA, 0, 0x55)
