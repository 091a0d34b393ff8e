"""Named checks of documents that people write: what is wrong in one is told with whose it is, and what was meant."""

from __future__ import annotations

from rig.errors import Misuse
from rig.firmware.expectations import Expectations
from rig.firmware.manifest import Manifest
from tests.rig.firmware.own_firmware import image, lamp, written


def _wrong(read, path):
    """What is told of a document, behind its path; nothing of one that is right."""
    try:
        read(path)
    except Misuse as error:
        return str(error).partition(f"{path}: ")[2]
    return ""


def a_wrong_field_is_told_with_its_image(folder):
    path = written(folder, lamp(more='version = "äöü"'))
    assert _wrong(Manifest.load, path).startswith("image.0.version of 'lamp-old': ")


def an_image_without_a_name_is_told_by_its_file(folder):
    path = written(folder, image("x", "core.bin").replace('name = "x"\n', ""))
    assert _wrong(Manifest.load, path).startswith("image.0.name of 'core.bin': ")


def of_a_field_that_there_is_not_the_nearest_is_told(folder):
    path = written(folder, lamp(more='flie = "x.bin"'))
    assert _wrong(Manifest.load, path) == (
        "image.0.flie of 'lamp-old': there is no such field (hint: did you mean file?)"
    )


def a_field_of_a_table_in_an_image_is_one_of_that_table(folder):
    path = written(folder, lamp(more='esp32 = { versoin = "1.0" }'))
    told = _wrong(Manifest.load, path)
    assert told.startswith("image.0.esp32.versoin of 'lamp-old': there is no such field (hint: fields are client, ")


def where_none_is_near_all_fields_are_told(folder):
    path = folder / "expectations.toml"
    path.write_text("colour = 3\n")
    assert _wrong(Expectations.load, path) == "colour: there is no such field (hint: fields are expect, defect)"
