"""What swaps are played with in tests: the rig's own scenarios and images, and setups in memory of them."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import cache

from rig.campaign.swap_capsule import SwapCapsule, capsule_of
from rig.campaign.swaps import swaps_of
from rig.families.esp32.sweep.swap_in_memory import Esp32SetupInMemory
from rig.firmware.checkout import part
from rig.firmware.manifest import Image, Manifest
from rig.trust.scenario import Scenarios

#: When everything is played here.
AT = datetime(2026, 11, 30, 12, tzinfo=UTC)


@cache
def manifest() -> Manifest:
    return Manifest.load(part("firmware-fixtures", "manifest.toml"))


@cache
def scenarios() -> Scenarios:
    return Scenarios.load(part("firmware-fixtures", "scenarios.toml"))


@cache
def images(kind: str) -> list[Image]:
    return manifest().images(kind)


def roles_of(kind: str, variant: str) -> dict[str, Image]:
    return manifest().roles(kind, None if variant == "default" else variant)


def capsule(kind: str, scenario: str, firmware: str = "default", **tags: str) -> SwapCapsule:
    """What a board of a kind that runs a firmware would write down of a scenario before it is played."""
    known = swaps_of(kind).scenarios()[scenario]
    found = capsule_of(kind, known, roles_of(kind, firmware), lambda variant: roles_of(kind, variant), tags)
    assert found is not None, "a replay finds it by its name"
    return found


class SetupOf(Esp32SetupInMemory):
    """One variant's ESP32 in memory."""

    def __init__(self, variant: str):
        images = swaps_of("esp32").images(roles_of("esp32", variant), lambda other: roles_of("esp32", other))
        super().__init__(images, AT)
