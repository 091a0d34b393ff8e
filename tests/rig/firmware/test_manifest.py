"""The manifest: good images, and what is said of a broken one."""

from __future__ import annotations

import hashlib

import pytest

from rig.errors import Misuse
from rig.families.spark_core.firmware.identity import Identity
from rig.families.spark_core.formats import flash as layout
from rig.firmware.manifest import Manifest
from tests.rig.families.spark_core.twin.models import CATALOGUE, MANIFEST, ROLES

GOOD = """
[[image]]
name = "one"
board = "spark-core"
version = "1"
runs = "ok"
sha256 = "SHA"
recipe = { kind = "fill", byte = 7, length = 16 }
"""
LOADER = """
[[bootloader]]
name = "one"
board = "spark-core"
generation = "B"
size = 16
sha256 = "SHA"
"""
SHA = hashlib.sha256(b"\x07" * 16).hexdigest()


def write(tmp_path, text):
    path = tmp_path / "manifest.toml"
    path.write_text(text.replace("SHA", SHA))
    return path


def test_every_image_that_comes_with_the_rig_has_the_sha256_it_says():
    assert len(MANIFEST.images("spark-core")) + len(MANIFEST.images("esp32")) == len(MANIFEST.entries)


def test_a_file_beside_the_manifest_is_an_image_too(tmp_path):
    (tmp_path / "one.bin").write_bytes(b"\x07" * 16)
    text = GOOD.replace('recipe = { kind = "fill", byte = 7, length = 16 }', 'file = "one.bin"')
    assert Manifest.load(write(tmp_path, text)).image("one").data == b"\x07" * 16


def test_what_its_firmware_is_expected_to_become_is_a_file_beside_the_manifest(tmp_path):
    assert (
        Manifest.load(write(tmp_path, 'expectations = "mine.toml"\n' + GOOD)).expectations_path
        == tmp_path / "mine.toml"
    )
    assert Manifest.load(write(tmp_path, GOOD)).expectations_path is None


CASTS = {
    "a role without image": ('old = "one"\nnew = "two"\n', "role new names 'two'"),
    "a variant without a new image": ('old = "one"\n', r"roles\.spark-core has no new"),
}


@pytest.mark.parametrize("case", CASTS)
def test_a_variant_that_nothing_fills_in_is_refused(tmp_path, case):
    text, reason = CASTS[case]
    with pytest.raises(Misuse, match=reason):
        Manifest.load(write(tmp_path, GOOD + "[roles.spark-core]\n" + text)).with_fallback(None)


BROKEN = {
    "not TOML": ("name = ", "is not TOML"),
    "a field that does not exist": (GOOD + "colour = 3\n", r"image\.0\.colour"),
    "a behaviour that does not exist": (GOOD.replace('"ok"', '"well"'), r"image\.0\.runs"),
    "a sha256 that is none": (GOOD.replace("SHA", "abc"), r"image\.0\.sha256"),
    "a recipe that does not exist": (GOOD.replace('"fill"', '"brew"'), r"image\.0\.recipe"),
    "a recipe of a negative length": (GOOD.replace("16", "-1"), r"image\.0\.recipe"),
    "neither recipe nor file": (GOOD.replace("recipe =", "#"), "either a recipe or a file"),
    "a name twice": (GOOD + GOOD, "'one' is there twice"),
    "a bootloader called as an image": (GOOD + LOADER, "bootloader 'one' is called as an image is"),
    "a bootloader twice": (GOOD + LOADER.replace("one", "two") * 2, "bootloader 'two' is there twice"),
    "a role that nobody knows": (GOOD + '[roles.spark-core]\nolder = "one"\n', "there is no role older"),
    "a recipe without its sha256": (GOOD.replace("sha256", "# sha256"), "needs version and sha256"),
    "expectations that are no file's name": ("expectations = 3\n", "expectations: "),
    "not UTF-8": ("\udcff", "cannot read the manifest"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_what_is_wrong_is_named_with_file_and_field(tmp_path, case):
    text, reason = BROKEN[case]
    path = tmp_path / "manifest.toml"
    path.write_bytes(text.replace("SHA", SHA).encode(errors="surrogateescape"))
    with pytest.raises(Misuse, match=reason) as caught:
        Manifest.load(path)
    assert str(path) in str(caught.value)


def test_a_changed_image_is_refused_when_it_is_used(tmp_path):
    manifest = Manifest.load(write(tmp_path, GOOD.replace("length = 16", "length = 17")))
    with pytest.raises(Misuse, match="image 'one' has sha256"):
        manifest.image("one")


def test_images_are_found_by_the_begin_of_their_hash_and_no_other_is_made(tmp_path):
    """The other one is not as it says it is: whoever makes it is told."""
    broken = GOOD.replace("SHA", "0" * 64).replace('"one"', '"broken"')
    manifest = Manifest.load(write(tmp_path, GOOD + broken))
    assert [image.name for image in manifest.images_with("spark-core", [SHA[:12]])] == ["one"]
    assert manifest.images_with("spark-core", []) == manifest.images_with("esp32", [SHA[:12]]) == []
    with pytest.raises(Misuse, match="broken"):
        manifest.images("spark-core")


def test_a_truncated_file_is_refused(tmp_path):
    (tmp_path / "one.bin").write_bytes(b"\x07" * 15)
    text = GOOD.replace('recipe = { kind = "fill", byte = 7, length = 16 }', 'file = "one.bin"')
    with pytest.raises(Misuse, match="image 'one' has sha256"):
        Manifest.load(write(tmp_path, text)).image("one")


def test_an_area_is_the_longest_image_it_begins_with():
    area = ROLES["new"].data + b"left over" * 99
    assert CATALOGUE.identify(area.ljust(layout.APP_SIZE, b"\xff")).name == "core-new"
    assert CATALOGUE.identify(b"\xff" * layout.APP_SIZE) == Identity("erased")
    assert CATALOGUE.identify(bytes(layout.APP_SIZE)) == Identity("mixed")
