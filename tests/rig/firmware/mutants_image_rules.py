"""Planted faults for test_mutants: a family whose rules of images are not asked."""

from __future__ import annotations

from rig.firmware import entries, faults, file_kinds, filled_in, identification, releases, roles, template
from rig.firmware.entries import Entry
from rig.firmware.image_rules import Details, ImageRules, rules_of
from rig.suites import needs
from rig.trust import shipped
from rig.trust.timeline import plan
from tests.rig.firmware import checks_image_rules as of_images
from tests.rig.firmware.checks_image_rules import FAULTS


class Silent(ImageRules[Details]):
    """A family that knows nothing."""

    kind, details = "lamp", Details


def _not_asked(*modules):
    """These modules ask nobody."""

    def plant(m):
        for module in modules:
            for name, answer in (("rules_of", lambda _kind: Silent()), ("all_rules", lambda: iter([Silent()]))):
                m.setattr(module, name, answer, raising=False)

    return plant


def _one_model(cls, _content):
    """An entry may say what an entry for a lamp may, whatever board it names."""
    return cls


def _of_any_kind(cls, content):
    rules = entries.rules_of("spark-core")
    return entries._entry_model(rules.details, rules.recipes) if cls is Entry else cls


MUTANTS = {
    "images: an entry has another model each time": (
        lambda m: m.setattr(entries, "_entry_model", entries._entry_model.__wrapped__),
        of_images.rules_may_be_made_anew_for_whoever_asks,
    ),
    "images: an entry says what all say": (
        lambda m: m.setattr(Entry, "model_for", classmethod(_one_model)),
        of_images.an_entry_has_the_fields_of_its_kind,
    ),
    "images: the fields of one kind are everybody's": (
        lambda m: m.setattr(Entry, "model_for", classmethod(_of_any_kind)),
        of_images.a_field_of_another_kind_is_refused,
    ),
    "images: parts are the same for every kind": (
        lambda m: m.setattr(roles, "rules_of", lambda _kind: Silent()),
        of_images.a_part_is_of_one_kind,
    ),
    "images: no family is asked what a file tells": (
        _not_asked(identification),
        of_images.a_file_is_told_by_its_family,
    ),
    "images: no family is asked what a file is": (
        _not_asked(file_kinds),
        of_images.what_goes_into_its_flash_is_told_by_its_family,
    ),
    "images: no family fills in what a file tells": (
        lambda m: m.setattr(filled_in, "rules_of", lambda _kind: Silent()),
        of_images.its_family_fills_in_what_the_file_tells,
    ),
    "images: no family is asked for the room": (_not_asked(faults), of_images.its_family_knows_the_room),
    **{
        f"images: no family is asked what is wrong with {what}": (_not_asked(faults), check)
        for what, check in FAULTS.items()
    },
    "images: any file is a release": (_not_asked(releases), of_images.its_family_refuses_a_release),
    "images: a first manifest is the same for all": (
        _not_asked(template),
        of_images.a_first_manifest_has_what_its_family_says,
    ),
    "images: nobody asks servers": (_not_asked(shipped), of_images.who_asks_servers_is_judged_by_them),
    "images: firmware in the field is of the first family": (
        lambda m: m.setattr(plan, "all_rules", lambda: iter([rules_of("esp32")])),
        of_images.firmware_in_the_field_is_told_by_its_familys_field,
    ),
    "images: no suite needs a server": (_not_asked(needs), of_images.a_suite_needs_what_its_family_says),
}
