"""Runs as reports tell them, made by hand: for tests of what pages say."""

from __future__ import annotations

from typing import Any

from rig.evidence.identity import ImageUsed, RunIdentity
from rig.evidence.results import TestResult, judge, short_identity
from rig.evidence.run_record import RunRecord
from rig.evidence.testbed import Testbed

IMAGES = tuple(
    ImageUsed(name=name, board="spark-core", version=f"1.{number}", sha256=str(number) * 64)
    for number, name in enumerate(("core-old", "core-new"))
)


def an_identity(*, run: str = "r", rack: str = "virtual", **others: Any) -> RunIdentity:
    fields: dict[str, Any] = {"run": run, "began": "2026-11-29T12:00:00+00:00", "rig": "0.1.0"}
    fields |= {"manifest": "own.toml", "manifest_sha256": "f" * 64, "selection": "the quick selection"}
    return RunIdentity(**fields | {"testbed": Testbed(rack=rack), "firmware": IMAGES} | others)


def a_test(
    name: str = "t",
    result: str = "passed",
    *,
    place: str = "core-01",
    tier: str = "model",
    firmware: tuple[ImageUsed, ...] = IMAGES,
    message: str = "",
) -> TestResult:
    """A test that had a board."""
    used = " ".join(short_identity(image.name, image.sha256) for image in firmware)
    fields = {"place": place, "board": "spark-core", "tier": tier, "firmware": used}
    return TestResult(name, result, 1.0, message, fields)


def a_record(*results: TestResult, **identity: Any) -> RunRecord:
    """A run that came to its end, with its verdict."""
    found = list(results)
    return RunRecord(an_identity(**identity).narrowed(found), found, judge(found), 78.0, chosen=len(found))


def a_cut(trial: str, **others: Any) -> dict[str, Any]:
    """A line of a ledger: a cut in the erase phase, from the first image to the second."""
    old, new = IMAGES
    fields = {"kind": "cut", "run": "r", "trial": trial, "tier": "model", "place": "core-01", "variant": ""}
    fields |= {"board": "spark-core", "generation": "b", "path": "dfu", "order": "all-first"}
    fields |= {"from": old.sha256, "from_name": old.name, "to": new.sha256, "to_name": new.name}
    fields |= {"to_address": 0, "to_size": 1, "aim": {"phase": "erase"}}
    landing = {"phase": "erase", "address": None, "known_by": "read-back", "detail": "half"}
    outcome = {"became": "old", "rung": "self", "seconds": 1.0}
    return {**fields, "landing": landing, "outcome": outcome, **others}
