"""Named checks of somebody's own firmware, for its tests and for test_mutants: what is laid over what, and told."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from unittest.mock import patch

import pytest

from rig.errors import Misuse
from rig.families.esp32.firmware.boots import EspBoots
from rig.families.esp32.firmware.details import behaviour_of, boots_of
from rig.families.esp32.lab.rack_slot import Esp32Slot
from rig.firmware.expectations import DEFAULT_VARIANT, Situation
from rig.firmware.run_firmware import all_faults, refuse_faults, roles_on, roles_with
from rig.suites import with_firmware
from rig.suites.expectations import expectations_of
from rig.suites.needs import Needs, why_not
from tests.rig.firmware.own_firmware import ASKS, content, image, lamp, loaded, the_rigs

RIGS = expectations_of(the_rigs())


def one_family_is_enough(tmp_path):
    known = loaded(tmp_path, lamp())
    assert known.roles("spark-core") == the_rigs().roles("spark-core")
    assert known.bootloader_code("a") == the_rigs().bootloader_code("a")


def a_part_that_is_not_named_is_the_rigs(tmp_path):
    roles = loaded(tmp_path, lamp()).roles("esp32")
    assert (roles["old"].name, roles["new"].name) == ("lamp-old", "lamp-new")
    assert roles.get("table") == the_rigs().roles("esp32")["table"]


def a_variant_of_the_rigs_is_whole(tmp_path):
    """Half of it somebody's and half of it noise would be firmware that nobody built."""
    assert loaded(tmp_path, lamp()).roles("esp32", "partial") == the_rigs().roles("esp32", "partial")


def the_rigs_parts_keep_their_images(tmp_path):
    """Somebody's image may be called as one of the rig's is; what the rig's variant means is still the rig's."""
    known = loaded(tmp_path, lamp() + image("esp32-table", "table.bin"))
    assert known.roles("esp32")["table"] == the_rigs().image("esp32-table")
    assert known.image("esp32-table").data == content("table.bin")


def a_part_may_be_an_image_of_the_rigs(tmp_path):
    known = loaded(tmp_path, lamp() + 'previous = "esp32-previous"\n')
    assert known.roles("esp32", filled_in=False).get("previous") == the_rigs().image("esp32-previous")


def without_filling_in_only_what_is_named_is_there(tmp_path):
    known = loaded(tmp_path, lamp())
    assert set(known.roles("esp32", filled_in=False)) == {"old", "new"}
    assert known.roles("spark-core", filled_in=False) == {}
    assert known.roles("esp32", "partial", filled_in=False) == {}


def what_a_run_uses_is_told_once_each(tmp_path):
    parts = {part.name: part for part in loaded(tmp_path, lamp()).parts()}
    mine, table = parts["lamp-old"], parts["esp32-table"]
    assert (mine.version, mine.roles, mine.filled_in) == ("1.0.0", ("old",), False)
    assert mine.sha256 == hashlib.sha256(content("old.bin")).hexdigest()
    assert (table.sha256, table.filled_in) == (the_rigs().image("esp32-table").sha256, True)
    assert "old" not in parts["esp32-old"].roles, "only other variants use it"


def a_file_tells_version_and_release(tmp_path):
    found = loaded(tmp_path, lamp()).image("lamp-old")
    assert found.version == "1.0.0"
    assert behaviour_of(found).idf == "5.1.2"


def what_the_manifest_says_wins(tmp_path):
    found = loaded(tmp_path, lamp(more='esp32 = { idf = "5.4" }')).image("lamp-old")
    assert behaviour_of(found).idf == "5.4"


def a_second_stage_needs_no_table_of_its_own(tmp_path):
    known = loaded(tmp_path, lamp() + 'bootloader = "lamp-stage"\n' + image("lamp-stage", "stage.bin"))
    assert boots_of(known.roles("esp32")["bootloader"]) == EspBoots()


def a_file_that_is_built_anew_is_taken_as_it_is(tmp_path):
    (tmp_path / "first").mkdir()
    before = loaded(tmp_path / "first", lamp())
    after = loaded(tmp_path, lamp(old="late.bin"))
    assert before.image("lamp-old").sha256 != after.image("lamp-old").sha256


def another_file_than_was_named_is_refused(tmp_path):
    known = loaded(tmp_path, lamp(more=f'sha256 = "{"0" * 64}"'))
    with pytest.raises(Misuse, match="'lamp-old' has sha256"):
        known.image("lamp-old")


def what_the_rigs_firmware_becomes_is_still_expected(tmp_path):
    """A file for lamps says nothing of Cores, whose firmware is the rig's."""
    (tmp_path / "mine-expects.toml").write_text("")
    ours = expectations_of(loaded(tmp_path, 'expectations = "mine-expects.toml"\n' + lamp()))
    core = Situation("spark-core", "dfu", "erase", "b")
    early = Situation("esp32", "https", "first-boot", "none", "early")
    assert [ours.expected(one) for one in (core, early)] == [RIGS.expected(one) for one in (core, early)]
    assert [ours.file_for(one).path for one in (core, early)] == [RIGS.path, RIGS.path]
    lamps = replace(early, variant=DEFAULT_VARIANT)
    assert (ours.expected(lamps), RIGS.expected(lamps) is None) == (None, False)


def only_places_that_run_noise_are_given_it(tmp_path):
    known = loaded(tmp_path, lamp())
    twin = Esp32Slot().abilities
    real = {key: value for key, value in twin.items() if key != "synthetic"}
    assert "table" in roles_on(known, "esp32", twin)
    assert set(roles_on(known, "esp32", real)) == {"old", "new"}
    assert "table" in roles_on(the_rigs(), "esp32", twin)
    assert roles_on(the_rigs(), "esp32", real) == {}


def an_update_without_a_test_is_given_no_noise_either(_tmp_path):
    """A control cut, a deep update: neither asks a test what it needs."""
    message = ""
    try:
        roles_with({"old"}, the_rigs(), "spark-core", {}, "core-01")
    except Misuse as error:
        message = str(error)
    assert "no old image for core-01" in message, "noise is written onto a real board"
    assert "`labgrid-client -p core-01 set-tags synthetic=yes`" in message


def _fault(tmp_path, text):
    return " | ".join(str(fault) for fault in all_faults(loaded(tmp_path, text)))


def _refusal(known):
    """What a run says that does not take this firmware; nothing of one that takes it."""
    try:
        refuse_faults(known)
    except Misuse as error:
        return str(error)
    return ""


def faulty_firmware_is_refused_in_one_line(tmp_path):
    told = _refusal(loaded(tmp_path, lamp(new="damaged.bin", more=ASKS.replace("rig-root", "rig-rot"))))
    assert "mine.toml: lamp-new: no ESP32 would start it: " in told
    assert "and 1 more: `rig firmware check` tells all" in told


def images_that_are_there_to_be_refused_are_no_fault(tmp_path):
    refused = {"blank": "readme.bin", "text": "readme.bin", "oversize": "large.bin"}
    roles = "".join(f'{role} = "lamp-{role}"\n' for role in refused) + 'crashing = "lamp-new"\n'
    images = "".join(image(f"lamp-{role}", file) for role, file in refused.items())
    assert _refusal(loaded(tmp_path, lamp() + roles + images)) == ""


def fault(text, *reasons):
    """A check that a manifest has this fault."""

    def it_is_told(tmp_path):
        told = _fault(tmp_path, text)
        for reason in reasons:
            assert reason in told

    return it_is_told


#: Each as (manifest, what is told of it).
FAULTS = {
    "an image larger than its slot": (lamp(new="large.bin"), "lamp-new: 1,740,816 bytes are 16 more than ota_0"),
    "an image for another chip": (lamp(new="c3.bin"), "lamp-new: it is for ESP32-C3, not for an ESP32"),
    "an image that is damaged": (lamp(new="damaged.bin"), "lamp-new: no ESP32 would start it"),
    "a second stage for an application": (lamp(new="stage.bin"), "lamp-new: it is a second stage for ESP32"),
    "a pin that nobody knows": (
        lamp(more=ASKS.replace("rig-root", "rig-rot")),
        "lamp-old: it pins 'rig-rot', and no update server here has a certificate of that name",
        "rig-intermediate, ",
    ),
    "a table for an application": (
        lamp(new="table.bin"),
        "a partition table for ESP32, and its part needs an application",
    ),
    "a text for an application": (lamp(new="readme.bin"), "lamp-new: it is a text file"),
    "an application for a second stage": (
        lamp() + 'bootloader = "lamp-new"\n',
        "its part bootloader needs a second stage",
    ),
    "a table for more flash": (
        lamp() + 'bootloader = "lamp-stage"\n' + image("lamp-stage", "stage-2mb.bin"),
        "esp32-table: lamp-stage is for 2 MB of flash and refuses it",
    ),
    "the same image twice": (lamp(new="old.bin"), "old and new are the same image"),
    "one version twice": (lamp(new="same-version.bin"), "old and new are both version 1.0.0"),
    "another version than the file tells": (lamp(more='version = "3"'), "says version 3, the file 1.0.0"),
    "a file that is not there": (lamp(new="nowhere.bin"), "lamp-new: cannot read"),
    "expectations that are not there": (
        'expectations = "no.toml"\n' + lamp(),
        "expectations: cannot read the expectations",
    ),
    "expectations of nothing": ('expectations = "table.bin"\n' + lamp(), "expectations: "),
    "a Core's image that is too large": (
        image("mine", "core-large.bin", "spark-core", 'version = "0.2.1"') + '[roles.spark-core]\nnew = "mine"\n',
        "mine: 110,600 bytes, and a Core has room for 110,592",
    ),
    "a Core's image without a version": (image("mine", "core.bin", "spark-core"), "has no version"),
    "an image of another board": (
        image("mine", "core.bin", "spark-core", 'version = "1"') + '[roles.esp32]\nnew = "mine"\n',
        "new is mine, which is for a spark-core",
    ),
}

LAMP = Needs("esp32", None, frozenset({"old", "new", "bootloader", "table"}), asks_server=False)
ONLINE = Needs("esp32", None, frozenset({"old"}), asks_server=True)


def an_image_that_asks_nobody_is_no_device_fault(tmp_path):
    assert "how lamp-old asks for updates" in str(why_not(loaded(tmp_path, lamp()), ONLINE, filled_in=True))


def an_image_that_asks_runs_with_the_suites_over_https(tmp_path):
    assert why_not(loaded(tmp_path, lamp(more=ASKS)), ONLINE, filled_in=True) is None


def a_real_board_is_not_given_noise(tmp_path):
    known = loaded(tmp_path, lamp())
    assert why_not(known, LAMP, filled_in=True) is None
    told = str(why_not(known, LAMP, filled_in=False))
    assert "no bootloader, table image" in told
    assert "name your images with --manifest, or tag a twin's place synthetic=yes" in told


def a_real_board_is_not_given_the_rigs_own_either(tmp_path):
    told = "the rig's own runs on twins only: name your images with --manifest, or tag a twin's place synthetic=yes"
    assert why_not(the_rigs(), LAMP, filled_in=True) is None
    assert why_not(the_rigs(), LAMP, filled_in=False) == told


def only_cases_of_its_kind_are_looked_at(tmp_path):
    core = Needs("spark-core", None, frozenset({"old"}), asks_server=False)
    cases = [("dfu", core), ("contracts", core), ("contracts", LAMP)]
    with patch.object(with_firmware, "needs_of_all", lambda _manifest, _folder: cases):
        suites = with_firmware.suites_with(loaded(tmp_path, lamp()))
    assert [(suite.name, suite.cases) for suite in suites] == [("contracts", 1)]
