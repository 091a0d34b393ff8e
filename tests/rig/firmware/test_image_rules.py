"""What a family alone knows of images is asked of it: by the manifest, by checks, by releases, by judges of servers."""

from __future__ import annotations

import pytest

from rig.errors import Misuse
from rig.family.contract import families
from rig.firmware.image_rules import Details, ImageRules
from rig.firmware.manifest import Manifest
from rig.firmware.roles import COMMON_ROLES
from tests.rig.firmware import checks_image_rules as of_images
from tests.rig.firmware.checks_image_rules import FAULTS
from tests.rig.firmware.lamp_family import lamps

CHECKS = [
    of_images.an_entry_has_the_fields_of_its_kind,
    of_images.a_wrong_value_of_such_a_field_is_told_with_its_image,
    of_images.a_field_of_another_kind_is_refused,
    of_images.a_recipe_of_a_kind_makes_its_images,
    of_images.a_part_is_of_one_kind,
    of_images.a_file_is_told_by_its_family,
    of_images.what_goes_into_its_flash_is_told_by_its_family,
    of_images.its_family_fills_in_what_the_file_tells,
    of_images.its_family_knows_the_room,
    *FAULTS.values(),
    of_images.its_family_refuses_a_release,
    of_images.a_first_manifest_has_what_its_family_says,
    of_images.who_asks_servers_is_judged_by_them,
    of_images.firmware_in_the_field_is_told_by_its_familys_field,
    of_images.a_suite_needs_what_its_family_says,
    of_images.its_bootloaders_have_its_generations,
]


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_what_a_family_knows_of_images_is_asked_of_it(check, tmp_path):
    check(tmp_path)


class Plain(ImageRules[Details]):
    kind, details = "plain", Details


def test_a_family_need_say_no_more_than_its_kind():
    plain = Plain()
    assert plain.known_state <= COMMON_ROLES
    assert plain.release(b"anything", "x") == b"anything"
    assert (plain.identify(b"x"), plain.kind_of(b"x"), plain.room({}), plain.server_trust(Details())) == (None,) * 4
    assert (plain.example.prefix, list(plain.faults_of_roles({}, "roles.plain"))) == ("plain", [])


@pytest.mark.parametrize("family", families(), ids=lambda family: family.kind)
def test_no_family_names_a_part_that_every_kind_has(family):
    assert family.images.kind == family.kind
    assert not family.images.roles & COMMON_ROLES
    assert family.images.known_state <= COMMON_ROLES | family.images.roles


def test_an_image_for_a_kind_that_nobody_knows_is_refused_with_those_that_are_known(tmp_path):
    (tmp_path / "mine.toml").write_text('[[image]]\nname = "x"\nboard = "toaster"\nfile = "x.bin"\n')
    with lamps(), pytest.raises(Misuse, match=r"image\.0\.board of 'x': no kind of board is called 'toaster': one of "):
        Manifest.load(tmp_path / "mine.toml")
