"""Named checks of what a family alone knows of images, told by one that nobody has: nobody else is asked instead."""

from __future__ import annotations

from functools import wraps
from pathlib import Path
from unittest.mock import patch

from rig.errors import Misuse
from rig.firmware import entries
from rig.firmware.faults import faults_of, room_of
from rig.firmware.file_kinds import kind_of
from rig.firmware.identification import identify
from rig.firmware.image_rules import rules_of
from rig.firmware.manifest import Manifest
from rig.firmware.releases import Release, add_release
from rig.firmware.roles import all_roles, roles_for
from rig.firmware.template import first_manifest
from rig.suites.needs import Needs, why_not
from rig.trust.shipped import shipped
from rig.trust.timeline.plan import FieldFirmware
from tests.rig.firmware.lamp_family import lamp_image, lamps
from tests.rig.firmware.own_firmware import image


def with_lamps(check):
    @wraps(check)
    def checked(folder):
        with lamps():
            check(folder)

    return checked


def known(folder: Path, old: str = "", *, end: str = "", size: int = 32) -> Manifest:
    """A manifest for lamps: what the entry of the old image says more, bytes of the new one, more variants."""
    contents = {"old": lamp_image(1), "new": lamp_image(2, size=size), "shade": b"SHADE"}
    for name, data in contents.items():
        (folder / f"{name}.bin").write_bytes(data)
    shade = image("shade", "shade.bin", "lamp", 'version = "1"')
    text = image("old", "old.bin", "lamp", old) + image("new", "new.bin", "lamp") + shade
    path = folder / "mine.toml"
    path.write_text(f'{text}[roles.lamp]\nold = "old"\nnew = "new"\nshade = "shade"\n{end}')
    return Manifest.load(path).with_fallback(None)


@with_lamps
def rules_may_be_made_anew_for_whoever_asks(folder):
    """Nothing says that a family's member is the same object each time."""
    with patch.object(entries, "rules_of", lambda kind: type(rules_of(kind))()):
        assert refusal(lambda: known(folder).entries["old"]) == ""


def refusal(act) -> str:
    try:
        act()
    except Misuse as error:
        return str(error)
    return ""


@with_lamps
def an_entry_has_the_fields_of_its_kind(folder):
    assert "there is no such field" not in refusal(lambda: known(folder, 'colour = "red"'))
    assert known(folder, 'colour = "red"').image("old").details.colour == "red"


@with_lamps
def a_wrong_value_of_such_a_field_is_told_with_its_image(folder):
    assert "image.0.colour of 'old': Input should be 'red' or 'green'" in refusal(lambda: known(folder, "colour = 3"))


@with_lamps
def a_field_of_another_kind_is_refused(folder):
    told = refusal(lambda: known(folder, 'offers = "probe"'))
    assert "image.0.offers of 'old': there is no such field" in told
    assert "colour, asks" in told


@with_lamps
def a_recipe_of_a_kind_makes_its_images(folder):
    path = folder / "made.toml"
    made = image("made", "x", "lamp", f'version = "7"\nsha256 = "{"0" * 64}"').replace(
        'file = "x"', 'recipe = { kind = "lamp-app", version = 7 }'
    )
    path.write_text(made)
    assert "has sha256" in refusal(lambda: Manifest.load(path).image("made"))
    assert Manifest.load(path).entries["made"].recipe.build() == lamp_image(7)


@with_lamps
def a_part_is_of_one_kind(folder):
    assert "shade" in roles_for("lamp"), "it has no parts of its own"
    assert "shade" not in roles_for("spark-core")
    assert "shade" in all_roles()
    told = refusal(lambda: known(folder, end='[roles.spark-core]\nold = "old"\nnew = "new"\nshade = "old"\n'))
    assert "there is no role shade" in told


@with_lamps
def a_file_is_told_by_its_family(_folder):
    assert (identify(lamp_image(5)).version, identify(lamp_image(5)).board) == ("5", "lamp")


@with_lamps
def what_goes_into_its_flash_is_told_by_its_family(_folder):
    assert str(kind_of(b"SHADE of linen")) == "a shade: hang it up"


@with_lamps
def its_family_fills_in_what_the_file_tells(folder):
    found = known(folder).image("old")
    assert (found.version, found.details.colour) == ("1", "green")


@with_lamps
def its_family_knows_the_room(folder):
    assert room_of(known(folder), "lamp") == 64


def fault(text: str, entry: str = "", size: int = 32):
    """A check that this is found to be wrong by the family, and nothing where all is right."""

    @with_lamps
    def it_is_found(folder):
        assert faults_of(known(folder)) == []
        assert [str(one) for one in faults_of(known(folder, entry, size=size))] == [text]

    return it_is_found


#: What is wrong of each kind, as its family says it: of a file, of the servers it asks, of a variant.
FAULTS = {
    "a file": fault("new: a lamp has room for 64", size=65),
    "servers": fault("old: nobody answers", 'asks = "nobody.test"'),
    "a variant": fault("roles.lamp: lamps never change their colour", 'colour = "red"'),
}


@with_lamps
def its_family_refuses_a_release(folder):
    (folder / "manifest.toml").write_text("")
    release = Release("lamp-9", "lamp", "9", "ok")
    assert refusal(lambda: add_release(folder / "manifest.toml", release, b"dark")) == "lamp-9 gives no light"
    assert add_release(folder / "manifest.toml", release, lamp_image(9)).read_bytes() == lamp_image(9)


@with_lamps
def a_first_manifest_has_what_its_family_says(folder):
    text = first_manifest(folder / "mine.toml", "lamp", None, None)
    assert 'name = "lamp-my-old"' in text
    assert text.count('#colour = "green"') == 2


@with_lamps
def who_asks_servers_is_judged_by_them(folder):
    found = shipped(known(folder, 'asks = "light.test"'))
    assert [(one.name, one.attempts[0].host) for one in found] == [("old", "light.test")]


@with_lamps
def firmware_in_the_field_is_told_by_its_familys_field(_folder):
    told = {"name": "lamp", "asks": "light.test"}
    assert "asks" in FieldFirmware.model_for(told).model_fields, "it is another family's"
    lamp = FieldFirmware.model_validate(told)
    assert lamp.shipped.attempts[0].host == "light.test"


@with_lamps
def a_suite_needs_what_its_family_says(folder):
    assert rules_of("lamp").known_state == {"old", "shade"}
    asking = Needs("lamp", None, frozenset({"old"}), asks_server=True)
    told = "nothing says how old asks for updates (a host of its asks table)"
    assert why_not(known(folder), asking, filled_in=True) == told
    assert why_not(known(folder, 'asks = "light.test"'), asking, filled_in=True) is None


LOADER = '[[bootloader]]\nname = "b"\nboard = "lamp"\ngeneration = "{}"\nsize = {}\nsha256 = "{}"\n'


@with_lamps
def its_bootloaders_have_its_generations(folder):
    told = refusal(lambda: known(folder, end=LOADER.format("a", 9, "0" * 64)))
    assert "generation of 'b': is none of bulb" in told
    told = refusal(lambda: known(folder, end=LOADER.format("bulb", 17, "0" * 64)))
    assert "size of 'b': Input should be less than or equal to 16" in told
    assert [one.generation for one in known(folder, end=LOADER.format("bulb", 16, "0" * 64)).bootloaders] == ["bulb"]
