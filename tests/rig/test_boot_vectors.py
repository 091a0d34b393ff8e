"""The bootloader of the twin against recordings of the genuine one: every start and every cut."""

from __future__ import annotations

import hashlib
from functools import cache
from typing import Any

import pytest
from recordings import boot_flash, load, stream

from rig.firmware.identify import Identity
from rig.formats import spark_flash as layout
from rig.twin.flash import Tear
from rig.twin.spark_core.boot_once import result, settle, start
from rig.twin.spark_core.core import Core

STATIC = load("boot/spark_static.json.gz")
CUTS = load("boot/spark_cuts.json.gz")


def board(vectors: dict[str, Any], case: dict[str, Any]) -> Core:
    names = {entry["sha256"]: name for name, entry in vectors["images"].items()}

    @cache
    def identify(app: bytes) -> Identity:
        unknown = "erased" if app == b"\xff" * len(app) else "mixed"
        name = names.get(hashlib.sha256(app).hexdigest(), unknown)
        return Identity(name, "ok" if name in case["good"] else None)

    return Core(boot_flash(vectors, case).memory(), identify)


def run(core: Core, case: dict[str, Any]) -> dict[str, Any]:
    start(core, cause=case["cause"], dr={int(n): v for n, v in case["dr"].items()}, hold_ms=case["hold_ms"])
    return result(core, settle(core, hold_ms=case["hold_ms"])).as_dict()


@pytest.mark.parametrize("case", STATIC["vectors"], ids=lambda case: case["id"])
def test_a_start_settles_as_the_genuine_bootloader_does(case: dict[str, Any]) -> None:
    assert run(board(STATIC, case), case) == case["result"]


@pytest.mark.parametrize("name", CUTS["scenarios"])
def test_an_uncut_start_does_the_same_operations(name: str) -> None:
    case = CUTS["scenarios"][name]
    core = board(CUTS, case)
    assert run(core, case) == case["result"]
    keys = ("first", "kind", "address", "unit", "count")
    done = [tuple(getattr(entry, key) for key in keys) for entry in core.memory.journal.runs]
    assert done == [(e["first"], e["kind"], e["address"], e["bytes"], e["count"]) for e in case["journal"]]


def torn(cut: dict[str, Any]) -> Tear | None:
    if cut["mode"] == "before":
        return None
    spec = cut["torn"]

    def tear(_kind: str, old: bytes, _new: bytes) -> bytes:
        if "value" in spec:
            return bytes.fromhex(str(spec["value"]))
        if "or" in spec:
            return bytes(o | n for o, n in zip(old, stream(spec["or"], len(old)), strict=True))
        if "ff_first" in spec:
            return b"\xff" * int(spec["ff_first"]) + old[spec["ff_first"] :]
        return bytes.fromhex(str(spec["head"])).ljust(len(old), b"\xff")

    return tear


def cut_at(core: Core, cut: dict[str, Any], hold_ms: int) -> None:
    core.memory.journal.fuse = (cut["k"], torn(cut))
    assert settle(core, hold_ms=hold_ms) == "off"
    core.mode_held = False


@pytest.mark.parametrize("case", CUTS["vectors"], ids=lambda case: case["id"])
def test_a_cut_start_settles_as_the_genuine_bootloader_does(case: dict[str, Any]) -> None:
    scenario = CUTS["scenarios"][case["scenario"]]
    core = board(CUTS, scenario)
    hold_ms = scenario["hold_ms"]
    start(core, cause=scenario["cause"], dr={int(n): v for n, v in scenario["dr"].items()}, hold_ms=hold_ms)
    cut_at(core, case, hold_ms)
    if "second" in case:
        start(core)
        cut_at(core, case["second"], 0)
    upper = core.memory.internal.peek(0x0800_4000, layout.INTERNAL_SIZE - 0x4000)
    assert hashlib.sha256(upper).hexdigest() == case["after_cut"]["upper_sha256"]
    assert hashlib.sha256(core.memory.external.dump()).hexdigest() == case["after_cut"]["ext_sha256"]
    core.events.clear()
    start(core)
    assert result(core, settle(core)).as_dict() == case["result"]
