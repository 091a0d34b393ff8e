"""Scenarios of an ESP32: a path, how its firmware was built, and images."""

from __future__ import annotations

from collections.abc import Mapping

from rig.errors import Misuse
from rig.families.esp32.sweep.built import CHOICES, Built
from rig.families.esp32.sweep.documented import documented
from rig.families.esp32.sweep.paths import ESP32_SWEEPS, EspPath
from rig.families.esp32.twin.memory import Esp32Memory
from rig.firmware.manifest import Image
from rig.sweep.discoveries import Documented
from rig.sweep.scenario import Scenario, Update, checked

_EVERY_BOARD = frozenset({"old", "new", "bootloader", "plain_bootloader"})


class Esp32Sweeps:
    """As rig.sweep.family asks for."""

    paths: Mapping[str, str] = {name: path.title for name, path in ESP32_SWEEPS.items()}

    def roles(self, path: str) -> frozenset[str]:
        """What lies on every board, and what the path needs beside it."""
        return _EVERY_BOARD | ESP32_SWEEPS[path].roles

    def choices(self, path: str) -> Mapping[str, tuple[str, ...]]:
        """What its firmware was built with, as far as it matters there."""
        return {name: CHOICES[name] for name in ESP32_SWEEPS[path].choices}

    def documented(self, path: str, choices: Mapping[str, str]) -> Documented:
        """The reference's cut table."""
        return documented(path, choices)

    def scenario(self, path: str, choices: Mapping[str, str], images: Mapping[str, Image]) -> Scenario:
        """Perform the update once. Raises Misuse where an image is missing that the path needs."""
        swept = ESP32_SWEEPS[path]
        built = Built.of({**choices, **swept.built}, _playing(swept, images))
        memory = swept.before(built)
        before = memory.snapshot()
        swept.work(built, memory)
        runs = tuple(memory.journal.runs)
        return Scenario(
            kind="esp32",
            memory=Esp32Memory,
            update=checked(Update(before, runs, swept.phases(runs, built.table))),
            start=built.start,
        )


def _playing(path: EspPath, images: Mapping[str, Image]) -> Mapping[str, Image]:
    """The images of a path, by the parts that they play on it. Raises Misuse."""
    needed = _EVERY_BOARD | path.roles
    if missing := needed - set(images):
        raise Misuse(f"this path needs an image that plays {min(missing)}", hint="name it in the manifest")
    return path.cast({role: images[role] for role in needed})
