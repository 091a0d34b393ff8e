"""Swaps of servers' identities under an ESP32, as rig.campaign.swaps asks for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from functools import cache
from types import MappingProxyType
from typing import Any

from rig.errors import Misuse
from rig.families.esp32.firmware.details import CABLE
from rig.families.esp32.sweep.swap_in_memory import Esp32SetupInMemory
from rig.firmware.checkout import part
from rig.firmware.manifest import Image
from rig.trust.expectation import read_scenario
from rig.trust.scenario import Scenario, Scenarios

#: Parts of images on the board, and who comes with a cable.
ROLES = ("old", "new", "bootloader", "table")
BY_CABLE = "cable"


class Esp32Swaps:
    """Every scenario of firmware-fixtures/scenarios.toml; how firmware was built is told by its images."""

    choices: Mapping[str, tuple[str, ...]] = MappingProxyType({})

    def scenarios(self) -> Mapping[str, Scenario]:
        """Those of the file."""
        return _scenarios()

    def read(self, fields: Mapping[str, Any]) -> Scenario:
        """One of its own. Raises Misuse."""
        return read_scenario(Scenario, fields)

    def chosen(self, tags: Mapping[str, str]) -> dict[str, str]:
        """There is nothing to choose."""
        return {}

    def images(self, roles: Mapping[str, Image], roles_of: Callable[[str], Mapping[str, Image]]) -> Mapping[str, Image]:
        """What lies on the board and what it is offered, and another variant's firmware, which comes by cable."""
        return {**{role: roles[role] for role in ROLES}, BY_CABLE: roles_of(CABLE)["old"]}

    def setup(self, choices: Mapping[str, str], images: Mapping[str, Image], at: datetime) -> Esp32SetupInMemory:
        """A board on the model that was shipped with these. Raises Misuse."""
        if missing := {*ROLES, BY_CABLE} - set(images):
            raise Misuse(f"a swap needs an image that plays {min(missing)}", hint=f"{min(missing)}=SHA-256")
        return Esp32SetupInMemory(images, at)


@cache
def _scenarios() -> Mapping[str, Scenario]:
    known = Scenarios.load(part("firmware-fixtures", "scenarios.toml"))
    return {name: known[name] for name in known.names}
