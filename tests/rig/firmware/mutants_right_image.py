"""Planted faults for test_mutants: boards that are given what is not for them, or are not what their places say."""

from __future__ import annotations

from dataclasses import replace

from rig.drivers.rfc2217_port import Rfc2217Port
from rig.evidence import identity as evidence_identity
from rig.families.esp32.boards import identity as chip_identity
from rig.families.esp32.boards.golden import GoldenSet
from rig.families.spark_core.boards import bootloader
from rig.families.spark_core.boards import identity as core_identity
from rig.families.spark_core.boards.bootloader import CoreBootloader
from rig.families.spark_core.twin.app.dialect import Dialect
from rig.firmware import run_firmware as firmware
from rig.firmware.manifest import Manifest
from rig.formats import usbip
from rig.lab import bring_up
from tests.rig.boards import checks_right_board as of_boards
from tests.rig.firmware import checks_right_image as of_images

REAL_LOOK = bootloader.look_at_bootloader


def _by_code_alone(host, known):
    found = REAL_LOOK(host, known)
    return found if known.bootloader_in(host.read(0x0800_0000, 0x4000)) else replace(found, generation=None)


def _whoever_cannot_be_told_is_refused(_told, found, *, board):
    if found.generation is None:
        raise core_identity.Misdescribed("is none the rig knows", board=board)


MUTANTS = {
    "own firmware: only a run looks for what is wrong": (
        lambda m: m.setattr(firmware, "refuse_faults", lambda _known: None),
        of_images.verbs_that_reach_boards_of_a_lab_refuse_a_faulty_manifest,
    ),
    "own firmware: nothing is noise": (
        lambda m: m.setattr(Manifest, "is_synthetic", lambda self, _name: False),
        of_images.only_the_rigs_own_recipes_are_noise,
    ),
    "own firmware: what the rig makes is noise, whoever lists it": (
        lambda m: m.setattr(Manifest, "is_synthetic", lambda self, name: self.image(name) is not None),
        of_images.only_the_rigs_own_recipes_are_noise,
    ),
    "twin: an image whose version is its maker's own is none": (
        lambda m: m.setattr(Dialect, "of_image", Dialect.of),
        of_images.an_image_whose_version_is_its_makers_own_runs_on_a_twin,
    ),
    "bring-up: a real board is given noise": (
        lambda m: m.setattr(bring_up, "refuse_synthetic", lambda *_images: None),
        of_images.a_board_that_is_no_twin_is_not_brought_up_with_noise,
    ),
    "board: a Core's bootloader is not looked at": (
        lambda m: m.setattr(core_identity, "check_bootloader", lambda *_asked, **_of: None),
        of_boards.a_bootloader_that_is_listed_is_told_by_its_code,
    ),
    "board: only a bootloader's code tells what it is": (
        lambda m: m.setattr(core_identity, "look_at_bootloader", _by_code_alone),
        of_boards.a_later_c_that_nobody_lists_tells_its_own_number,
    ),
    "board: c is another generation than c11": (
        lambda m: m.setattr(bootloader, "is_same", lambda one, other: one == other),
        of_boards.a_later_c_that_nobody_lists_tells_its_own_number,
    ),
    "board: whoever made a bootloader, it is as good": (
        lambda m: m.setattr(CoreBootloader, "contradicts", lambda self, tag: self.generation not in (None, tag)),
        of_boards.a_maker_that_a_generation_has_not_is_refused,
    ),
    "board: a bootloader that nobody lists is refused": (
        lambda m: m.setattr(core_identity, "check_bootloader", _whoever_cannot_be_told_is_refused),
        of_boards.what_nothing_tells_is_said_and_not_refused,
    ),
    "board: a bootloader that nobody lists goes unsaid": (
        lambda m: m.setattr(core_identity, "check_bootloader", lambda *_asked, **_of: None),
        of_boards.what_nothing_tells_is_said_and_not_refused,
    ),
    "board: nobody asks a chip for its revision": (
        lambda m: m.setattr(chip_identity, "check_revision", lambda *_asked, **_of: None),
        of_boards.another_revision_than_the_tag_names_is_not_written_to,
    ),
    "board: any flash is large enough": (
        lambda m: m.setattr(GoldenSet, "refuse_less_flash", lambda self, _has, **_of: None),
        of_boards.a_chip_with_less_flash_than_the_second_stage_is_for_is_not_written_to,
    ),
    "report: a twin is what its place says": (
        lambda m: m.setattr(of_boards, "tier_of", lambda board: board.tags.get("tier", "unknown")),
        of_boards.a_twin_that_was_seen_is_one_whatever_its_place_says,
    ),
    "report: a place is what the last test says of it": (
        lambda m: m.setattr(evidence_identity, "VIRTUAL_TIERS", ()),
        of_boards.a_place_where_a_twin_was_seen_once_is_a_twins,
    ),
    "usb: where a device is says nothing": (
        lambda m: m.setattr(usbip, "_TWINS", "/sys/devices/"),
        of_boards.the_server_of_a_usb_port_says_whether_it_has_a_twin,
    ),
    "console: nobody asks who serves a port": (
        lambda m: m.setattr(Rfc2217Port, "ask_who", lambda self: None),
        of_boards.the_server_of_a_serial_port_signs_as_a_twins,
    ),
}
