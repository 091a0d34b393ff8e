"""Named checks of test_mutants about images and their signatures: what bootloaders and running applications take."""

from __future__ import annotations

from functools import cache

from rig.families.esp32.firmware.images import App, build_app, build_variant
from rig.families.esp32.firmware.signing import Keys, sign, sign_variant
from rig.families.esp32.formats.chip import ESP32
from rig.families.esp32.formats.image import load
from rig.families.esp32.formats.partition_table import LAYOUTS
from rig.families.esp32.formats.signature import verify_update

APP = App(seed="images", version="2.1.0", secure_version=3)
IMAGE = build_app(APP)
RUNNING, UPDATE = LAYOUTS["arduino"].slot(0), LAYOUTS["arduino"].slot(1)


def reader(data: bytes):
    return lambda offset, length: data[offset : offset + length].ljust(length, b"\xff")


# -- bootloaders -------------------------------------------------------------------------------------------------------

OUTCOMES = {
    "good": None,
    "truncated-header": "length",
    "truncated": "end",
    "flipped-byte": "checksum",
    "wrong-chip": "chip",
    "min-rev-300": "revision",
    "lower-secure-version": None,
    "no-description": None,
    "wrong-first-byte": "magic",
    "exact-slot-size": None,
    "slot-size-plus-1": None,
}


def what_a_bootloader_makes_of_a_variant(name: str) -> None:
    slot = 0x2_0000
    image = build_variant(APP, name, slot)
    found = load(reader(image), 0, slot, ESP32)
    if OUTCOMES[name] == "end":
        # What follows in flash is erased, so the data are there and the sum is wrong, or a header is.
        assert found.refused.reason in ("checksum", "length")
        return
    assert (found.refused and found.refused.reason) == OUTCOMES[name]


def variant(name: str):
    return lambda _folder: what_a_bootloader_makes_of_a_variant(name)


# -- signatures --------------------------------------------------------------------------------------------------------


@cache
def some_keys() -> Keys:
    """Making them takes a while."""
    return Keys.make()


def update(keys: Keys, name: str, running: bytes | None = None):
    """What an application that runs a signed image makes of a variant."""
    flash = bytearray(b"\xff") * 0x40_0000
    for partition, data in (
        (RUNNING, sign(IMAGE, keys.trusted) if running is None else running),
        (UPDATE, sign_variant(build_app(App(seed="new")), name, keys)),
    ):
        flash[partition.offset : partition.offset + len(data)] = data
    return verify_update(reader(bytes(flash)), UPDATE, RUNNING, ESP32)


TAKEN = {
    "signed": "I secure_boot_v2: Signature verified successfully!",
    "unsigned": "W esp_image: image valid, signature bad",
    "wrong-key": "W esp_image: image valid, signature bad",
    "flipped-after-signing": "W esp_image: image corrupted on flash",
    "right-key-second": "W esp_image: image valid, signature bad",
    "truncated-signature": "W esp_image: image valid, signature bad",
    "signed-v1": "W esp_image: image valid, signature bad",
}


def the_verdict_on_a_variant(keys: Keys, name: str) -> None:
    verdict = update(keys, name)
    assert verdict.console[-1] == TAKEN[name]
    assert (verdict.refused and verdict.refused.reason) == (None if name == "signed" else "signature")


def signed_variant(name: str):
    return lambda _folder: the_verdict_on_a_variant(some_keys(), name)
