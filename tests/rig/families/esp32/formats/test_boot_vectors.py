"""The boot choice of an ESP32 against recordings of genuine bootloaders: every start and every cut."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest

from rig.families.esp32.formats.boot import Erase, Program, Say, boot, boot_once, perform
from tests.rig.families.esp32.formats.recordings import boot_flash, build, esp_image, layout, operation, recorded, told
from tests.rig.families.spark_core.twin.recordings import stream

#: Recordings of whole starts and how many they are, and of starts that are cut.
WHOLE = {"esp32_norollback": 440, "esp32c3_rollback": 1000, "esp32_rollback": 220, "esp32_v5_5": 220}
CUTS = {"esp32c3_cuts": 150, "esp32_rollback_cuts": 70}
RECORDINGS = [*WHOLE, *CUTS]


@pytest.mark.parametrize("recording", RECORDINGS)
def test_recipes_make_the_recorded_images_and_tables(recording: str) -> None:
    vectors = recorded(recording)
    for recipe in vectors["images"].values():
        image = esp_image(vectors["chip"], recipe)
        assert (len(image), hashlib.sha256(image).hexdigest()) == (recipe["bytes"], recipe["sha256"])
    for shape in vectors["layouts"].values():
        assert hashlib.sha256(layout(shape).pack()).hexdigest() == shape["table_sha256"]


def disagreements(recording: str, case: dict[str, Any], flash: bytearray) -> list[str]:
    """What a twin's starts say differently than the recorded ones, one line each."""
    wrong = []
    for number, expected in enumerate(case["boots"]):
        found = told(boot_once(flash, build(recording)))
        wrong += [
            f"{case['id']} start {number} {key}: {found[key]} instead of {expected[key]}"
            for key in expected
            if found[key] != expected[key]
        ]
    return wrong


@pytest.mark.parametrize("recording", WHOLE)
def test_every_start_is_the_recorded_one(recording: str) -> None:
    cases = recorded(recording)["vectors"]
    wrong = [line for case in cases for line in disagreements(recording, case, boot_flash(recording, case))]
    assert sum(len(case["boots"]) for case in cases) >= WHOLE[recording]
    assert not wrong, "\n".join(wrong[:20])


def torn(cut: dict[str, Any], old: bytes) -> bytes:
    """What the cut operation left of `old`."""
    if "value" in cut:
        return bytes.fromhex(cut["value"])
    if "or" in cut:
        return bytes(a | b for a, b in zip(old, stream(cut["or"], len(old)), strict=True))
    return bytes.fromhex(cut["head"]).ljust(len(old), b"\xff")


def start_and_cut(recording: str, flash: bytearray, cut: dict[str, Any]) -> None:
    """Step a start until its operation `cut.k`, and lose power there."""
    steps = boot(lambda at, length: bytes(flash[at : at + length]), build(recording))
    work: list[Erase | Program] = []
    for step in steps:
        if isinstance(step, Say):
            continue
        work.append(step)
        if len(work) <= cut["k"]:
            perform(flash, step)
            continue
        assert operation(step)[:2] == (cut["kind"], cut["address"])
        assert getattr(step, "data", b"").hex() == (cut["data"] or "")
        if cut["mode"] == "after":
            perform(flash, step)
        elif cut["mode"] == "torn":
            size = 4096 if isinstance(step, Erase) else len(step.data)
            flash[step.address : step.address + size] = torn(cut, bytes(flash[step.address : step.address + size]))
        return
    raise AssertionError(f"the start did only {len(work)} operations")


@pytest.mark.parametrize("recording", CUTS)
def test_every_cut_start_is_the_recorded_one(recording: str) -> None:
    wrong, cases = [], recorded(recording)["vectors"]
    for case in cases:
        flash = boot_flash(recording, case)
        start_and_cut(recording, flash, case["cut"])
        where = recorded(recording)["layouts"][case["layout"]]["otadata"]
        assert [flash[where + at : where + at + 32].hex() for at in (0, 4096)] == case["after_cut"], case["id"]
        wrong += disagreements(recording, case, flash)
    assert len(cases) >= CUTS[recording]
    assert not wrong, "\n".join(wrong[:20])
