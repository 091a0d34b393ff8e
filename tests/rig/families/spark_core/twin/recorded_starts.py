"""Starts and cuts of genuine Core bootloaders as recorded, and the same on a twin (vectors/boot/README.md)."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from rig.families.spark_core.firmware.identity import Identity
from rig.families.spark_core.twin.boot_once import result, settle, start
from rig.families.spark_core.twin.core import Core
from rig.twin.flash import Tear
from tests.rig.families.spark_core.twin.recordings import boot_memory, load, stream

Case = dict[str, Any]


@dataclass(frozen=True)
class Recording:
    """One file of recordings, and the generation whose twin must do as it says."""

    name: str
    generation: str

    @property
    def vectors(self) -> Case:
        """What the file holds; skips where it is not there."""
        return load(f"boot/{self.name}.json.gz")

    def begin(self, case: Case) -> Core:
        """A Core started as `case` says. Durations were not recorded: flash work takes none."""
        named = {entry["sha256"]: name for name, entry in self.vectors["images"].items()}

        @lru_cache(maxsize=64)
        def identify(app: bytes) -> Identity:
            unknown = "erased" if app == b"\xff" * len(app) else "mixed"
            name = named.get(hashlib.sha256(app).hexdigest(), unknown)
            return Identity(name, "ok" if name in case["good"] else None)

        memory = boot_memory(f"boot/{self.name}.json.gz", case)
        core = Core(memory, identify, generation=self.generation, time_scale=0)
        registers = {int(number): value for number, value in case["dr"].items()}
        start(core, cause=case["cause"], dr=registers, hold_ms=case["hold_ms"])
        return core

    def cut(self, case: Case) -> Core:
        """A Core whose start was cut as `case` says, once or twice, without power."""
        scenario = self.vectors["scenarios"][case["scenario"]]
        core = self.begin(scenario)
        _cut_at(core, case, scenario["hold_ms"])
        if "second" in case:
            start(core)
            _cut_at(core, case["second"], 0)
        core.events.clear()
        return core


def outcome(core: Core, hold_ms: int = 0) -> Case:
    """How a started Core settles, as a recording says it."""
    return result(core, settle(core, hold_ms=hold_ms)).as_dict()


def journal(core: Core) -> list[Case]:
    """The flash operations since power-on, as a recording says them."""
    runs = core.memory.journal.runs
    return [{"first": r.first, "kind": r.kind, "address": r.address, "bytes": r.unit, "count": r.count} for r in runs]


def disagreements(case: Case, found: Case, expected: Case) -> list[str]:
    """What a twin tells differently than a recording, one line each."""
    keys = found.keys() | expected.keys()
    different = sorted(key for key in keys if found.get(key) != expected.get(key))
    return [f"{case['id']} {key}: {found.get(key)} instead of {expected.get(key)}" for key in different]


def _cut_at(core: Core, cut: Case, hold_ms: int) -> None:
    core.memory.journal.fuse = (cut["k"], _torn(cut))
    assert settle(core, hold_ms=hold_ms) == "off"
    core.mode_held = False


def _torn(cut: Case) -> Tear | None:
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
