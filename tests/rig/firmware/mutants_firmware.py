"""More planted faults for test_mutants: somebody's own firmware, what is laid over what, what is told of it."""

from __future__ import annotations

from dataclasses import replace

from rig.families.esp32.firmware import faults as esp_faults
from rig.families.esp32.firmware import filled_in as esp_filled_in
from rig.firmware import document, faults, filled_in
from rig.firmware import run_firmware as firmware
from rig.firmware.manifest import Manifest
from rig.suites.needs import Needs
from tests.rig.firmware import checks_document as of_document
from tests.rig.firmware import checks_firmware as of_firmware
from tests.rig.firmware.checks_firmware import FAULTS

REAL_ROLE_SET, REAL_ROLES, REAL_TOLD, REAL_PARTS = (
    Manifest._role_set,
    Manifest.roles,
    filled_in.identify,
    Manifest.parts,
)


def _alone(self, board, variant=None, *, filled_in=True):
    """Nothing comes from below where a family is named."""
    return REAL_ROLES(self, board, variant, filled_in=not self.names_role_set(board, variant))


def _nothing_below(self, board, variant=None, *, filled_in=True):
    return REAL_ROLES(self, board, variant, filled_in=False)


def _mixed(self, board, variant=None):
    """A role_set of the rig's with somebody's images in it."""
    own = self._roles.get(board, {}) if self.fallback is not None else {}
    return {**REAL_ROLE_SET(self, board, variant), **{role: (self, name) for role, name in own.items()}}


def _by_name(self, board, variant=None):
    """A name means somebody's image, whoever said it."""
    role_set = REAL_ROLE_SET(self, board, variant)
    return {role: (self if name in self.entries else home, name) for role, (home, name) in role_set.items()}


def _without_the_rigs(self, board, variant=None, *, filled_in=True):
    """A part that names an image of the rig's does not count as named."""
    return {role: image for role, image in REAL_ROLES(self, board, variant).items() if image.name in self.entries}


def _silent(**what):
    """Files that do not tell something."""
    return lambda m: m.setattr(filled_in, "identify", lambda data: replace(REAL_TOLD(data), **what))


def _role_set(other):
    return lambda m: m.setattr(Manifest, "_role_set", other)


def _all_filled_in(self):
    return [replace(part, filled_in=True) for part in REAL_PARTS(self)]


def _roles(other):
    return lambda m: m.setattr(Manifest, "roles", other)


MUTANTS = {
    "own firmware: other families are empty": (_roles(_nothing_below), of_firmware.one_family_is_enough),
    "own firmware: a family that is named stands alone": (
        _roles(_alone),
        of_firmware.a_part_that_is_not_named_is_the_rigs,
    ),
    "own firmware: variants are mixed": (_role_set(_mixed), of_firmware.a_variant_of_the_rigs_is_whole),
    "own firmware: the rig's variants take somebody's images": (
        _role_set(_by_name),
        of_firmware.the_rigs_parts_keep_their_images,
    ),
    "own firmware: an image of the rig's is no part": (
        _roles(_without_the_rigs),
        of_firmware.a_part_may_be_an_image_of_the_rigs,
    ),
    "own firmware: all is filled in, wanted or not": (
        _roles(lambda self, board, variant=None, *, filled_in=True: REAL_ROLES(self, board, variant)),
        of_firmware.without_filling_in_only_what_is_named_is_there,
    ),
    "own firmware: all parts are the rig's": (
        lambda m: m.setattr(
            Manifest, "parts", lambda self: [replace(part, filled_in=True) for part in REAL_PARTS(self)]
        ),
        of_firmware.what_a_run_uses_is_told_once_each,
    ),
    "own firmware: the release of ESP-IDF is not read": (
        _silent(built_on=None),
        of_firmware.a_file_tells_version_and_release,
    ),
    "own firmware: the file wins": (
        lambda m: m.setattr(esp_filled_in, "SAID_ANYWAY", frozenset()),
        of_firmware.what_the_manifest_says_wins,
    ),
    "own firmware: a second stage is an application": (
        _silent(what="application", version="1"),
        of_firmware.a_second_stage_needs_no_table_of_its_own,
    ),
    "own firmware: its expectations are of the rig's, too": (
        lambda m: m.setattr(Manifest, "names_role_set", lambda _self, _board, _variant=None: True),
        of_firmware.what_the_rigs_firmware_becomes_is_still_expected,
    ),
    "own firmware: every place counts as a twin's": (
        lambda m: m.setattr(firmware, "may_fill_in", lambda _tags: True),
        of_firmware.only_places_that_run_noise_are_given_it,
    ),
    "own firmware: an update by hand counts every place as a twin's": (
        lambda m: m.setattr(firmware, "may_fill_in", lambda _tags: True),
        of_firmware.an_update_without_a_test_is_given_no_noise_either,
    ),
    "own firmware: slots have no end": (
        lambda m: m.setattr(esp_faults, "_of_the_flash", lambda _role_set, _where: iter(())),
        of_firmware.fault(*FAULTS["an image larger than its slot"]),
    ),
    "own firmware: a file is not walked to its end": (
        lambda m: m.setattr(esp_faults, "no_application", lambda _data: None),
        of_firmware.fault(*FAULTS["an image that is damaged"]),
    ),
    "own firmware: an image that asks nobody is tried": (
        lambda m: m.setattr(Needs, "asks_server", False),
        of_firmware.an_image_that_asks_nobody_is_no_device_fault,
    ),
    "own firmware: any name is a pin": (
        lambda m: m.setattr(esp_faults, "fault_of_pins", lambda *_pins: None),
        of_firmware.fault(*FAULTS["a pin that nobody knows"]),
    ),
    "own firmware: a run takes it as it is": (
        lambda m: m.setattr(firmware, "all_faults", lambda _known: []),
        of_firmware.faulty_firmware_is_refused_in_one_line,
    ),
    "own firmware: what is to be refused is wrong": (
        lambda m: m.setattr(faults, "TO_BE_REFUSED", frozenset()),
        of_firmware.images_that_are_there_to_be_refused_are_no_fault,
    ),
    "own firmware: the rig's own counts as genuine": (
        lambda m: m.setattr(
            Manifest, "genuine_roles", lambda self, *role_set: REAL_ROLES(self, *role_set, filled_in=False)
        ),
        of_firmware.a_real_board_is_not_given_the_rigs_own_either,
    ),
    "own firmware: a real board is given noise": (
        _roles(lambda self, board, variant=None, *, filled_in=True: REAL_ROLES(self, board, variant)),
        of_firmware.a_real_board_is_not_given_noise,
    ),
    "own firmware: suites for other kinds of board are looked at": (
        lambda m: m.setattr(Manifest, "kinds", lambda self: set(self.all_kinds())),
        of_firmware.only_cases_of_its_kind_are_looked_at,
    ),
    "document: a wrong field is nobody's": (
        lambda m: m.setattr(document, "_owner", lambda _content, _where: ""),
        of_document.a_wrong_field_is_told_with_its_image,
    ),
    "document: only names are told": (
        lambda m: m.setattr(document, "OWNERS", ("name",)),
        of_document.an_image_without_a_name_is_told_by_its_file,
    ),
    "document: nobody looks for the nearest field": (
        lambda m: m.setattr(document, "_nearest", lambda _name, _known: None),
        of_document.of_a_field_that_there_is_not_the_nearest_is_told,
    ),
    "document: fields are those of the whole": (
        lambda m: m.setattr(document, "_fields_at", lambda model, *_where: list(model.model_fields)),
        of_document.a_field_of_a_table_in_an_image_is_one_of_that_table,
    ),
    "document: where none is near none is told": (
        lambda m: m.setattr(document, "_fields_at", lambda *_where: []),
        of_document.where_none_is_near_all_fields_are_told,
    ),
}
