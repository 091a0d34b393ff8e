"""Images and signatures made for ESP32 boards, and what stock tools, bootloaders and running applications say."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rig.errors import Misuse
from rig.families.esp32.firmware.images import VARIANTS, App, build_app, build_variant
from rig.families.esp32.firmware.signing import SIGNED_VARIANTS, Keys, public_key, sign, sign_variant
from rig.families.esp32.formats.chip import ESP32, ESP32_C3
from rig.families.esp32.formats.image import load, verify
from rig.families.esp32.formats.signature import SignatureBlock, read_blocks
from tests.rig.families.esp32.firmware import checks_images as checks_esp_images
from tests.rig.families.esp32.firmware.checks_images import APP, IMAGE, reader, update
from tests.rig.waiting import HANGS


def tool(name: str, *words: object) -> subprocess.CompletedProcess[str]:
    """The stock tool of that name, as people run it."""
    path = shutil.which(name, path=str(Path(sys.executable).parent)) or pytest.skip(f"{name} is not installed")
    return subprocess.run([path, *map(str, words)], capture_output=True, text=True, timeout=HANGS)


# -- images


@settings(max_examples=10)
@given(st.integers(0, 60_000), st.integers(0, 400), st.integers(4, 5000), st.integers(0, 32))
def test_a_recipe_of_any_size_makes_an_image_a_bootloader_takes(drom, iram, irom, secure_version):
    app = App(seed="any", drom=drom, iram=iram, irom=irom, secure_version=secure_version)
    image = build_app(app)
    assert image == build_app(app)
    found = load(reader(image), 0, len(image), ESP32)
    assert (found.refused, found.length, found.secure_version) == (None, len(image), secure_version)


def test_a_recipe_says_who_the_application_is():
    told = load(reader(IMAGE), 0, 0x10_0000, ESP32).description
    assert (told.version, told.project, told.idf, told.secure_version) == ("2.1.0", "twin", "v5.4.2", 3)
    assert told.elf_sha256 == hashlib.sha256(b"images").digest()


def test_other_recipes_make_other_bytes():
    others = [App(seed="images"), App(seed="other", version="2.1.0", secure_version=3)]
    assert len({IMAGE, *map(build_app, others)}) == 3


def test_a_c3_application_is_for_a_c3():
    image = build_app(App(seed="c3", chip="esp32c3"))
    assert load(reader(image), 0, 0x10_0000, ESP32_C3).refused is None


@pytest.mark.parametrize("name", VARIANTS)
def test_a_bootloader_makes_of_a_variant(name):
    checks_esp_images.what_a_bootloader_makes_of_a_variant(name)


def test_variants_differ_from_the_good_image_where_they_say():
    slot = 0x2_0000
    older = load(reader(build_variant(APP, "lower-secure-version", slot)), 0, slot, ESP32)
    nameless = load(reader(build_variant(APP, "no-description", slot)), 0, slot, ESP32)
    assert (older.secure_version, nameless.description) == (2, None)
    assert [len(build_variant(APP, name, slot)) - slot for name in ("exact-slot-size", "slot-size-plus-1")] == [0, 1]


WRONG_RECIPES = {
    "a version too long": ({"version": "1" * 32}, "version '1111"),
    "a name that is not ASCII": ({"name": "zwölf"}, "name 'zwölf' is not ASCII"),
    "an unknown chip": ({"chip": "esp8266"}, "chip 'esp8266' is unknown"),
    "a negative secure version": ({"secure_version": -1}, "secure_version -1 is out of range"),
    "more RAM than there is": ({"iram": 0xF001}, "drom, dram and iram are more than"),
}


@pytest.mark.parametrize("name", WRONG_RECIPES)
def test_a_recipe_no_image_could_have_is_named(name):
    fields, words = WRONG_RECIPES[name]
    with pytest.raises(Misuse, match=words):
        App(seed="wrong", **fields)


def test_a_variant_that_cannot_be_made_is_named():
    with pytest.raises(Misuse, match="no variant of an image is called 'odd'"):
        build_variant(APP, "odd", 0x2_0000)
    with pytest.raises(Misuse, match="secure_version is 0, none is lower"):
        build_variant(App(seed="x"), "lower-secure-version", 0x2_0000)
    with pytest.raises(Misuse, match="no image of this recipe is 100 bytes"):
        build_app(APP, 100)


STOCK = {
    "good": (0, "(valid)", "2.1.0"),
    "flipped-byte": (0, "invalid", "2.1.0"),
    "no-description": (0, "(valid)", ""),
    "wrong-chip": (0, "ESP32-C3", "2.1.0"),
    "truncated-header": (2, "", ""),
    "wrong-first-byte": (2, "", ""),
}


@pytest.mark.parametrize("name", STOCK)
def test_stock_esptool_says_the_same(name, tmp_path):
    (tmp_path / "app.bin").write_bytes(build_variant(APP, name, 0x2_0000))
    told = tool("esptool", "image-info", tmp_path / "app.bin")
    status, word, version = STOCK[name]
    assert (bool(told.returncode), word in told.stdout, version in told.stdout) == (bool(status), True, True), told
    assert name != "no-description" or "App version" not in told.stdout


# -- signatures


@pytest.fixture(scope="module")
def keys() -> Keys:
    return checks_esp_images.some_keys()


@pytest.mark.parametrize("name", SIGNED_VARIANTS)
def test_a_running_application_takes_only_what_its_own_first_key_signed(keys, name):
    checks_esp_images.the_verdict_on_a_variant(keys, name)


@pytest.mark.parametrize("name", ["signed", "unsigned"])
def test_an_unsigned_running_application_takes_nothing(keys, name):
    verdict = update(keys, name, running=IMAGE)
    assert verdict.refused.reason == "signature"
    assert "E secure_boot_v2: Could not read secure boot digests!" in verdict.console


def test_a_bootloader_does_not_look_at_signatures(keys):
    for name in ("unsigned", "wrong-key", "truncated-signature"):
        image = sign_variant(IMAGE, name, keys)
        assert load(reader(image), 0, 0x10_0000, ESP32).refused is None
        assert verify(reader(image), 0, 0x10_0000, ESP32).length == len(IMAGE)


def test_a_second_key_added_does_not_rotate_trust(keys):
    both = sign(IMAGE, keys.trusted, keys.stranger)
    assert update(keys, "signed", running=both).refused is None
    assert update(keys, "wrong-key", running=both).refused is not None


@given(st.binary(min_size=1216, max_size=1216))
def test_noise_is_no_signature_block(noise):
    assert SignatureBlock.unpack(noise) is None


def test_stock_espsecure_accepts_and_refuses_the_same(keys, tmp_path):
    (tmp_path / "key.pem").write_bytes(public_key(keys.trusted))
    found = {}
    for name in ("signed", "wrong-key", "flipped-after-signing", "unsigned", "truncated-signature", "signed-v1"):
        (tmp_path / name).write_bytes(sign_variant(IMAGE, name, keys))
        words = ("verify-signature", "--version", "2", "--keyfile", tmp_path / "key.pem", tmp_path / name)
        found[name] = tool("espsecure", *words).returncode == 0
    assert found == {name: name == "signed" for name in found}


def test_the_digest_of_a_key_is_the_one_espsecure_would_burn(keys, tmp_path):
    (tmp_path / "key.pem").write_bytes(keys.trusted)
    done = tool("espsecure", "digest-sbv2-public-key", "--keyfile", tmp_path / "key.pem", "--output", tmp_path / "d")
    assert done.returncode == 0, done
    block = read_blocks(reader(sign(IMAGE, keys.trusted)), 0, len(IMAGE))[0]
    assert block.key_digest == (tmp_path / "d").read_bytes()
    assert block.image_digest == hashlib.sha256(IMAGE.ljust(0x11000, b"\xff")).digest()
