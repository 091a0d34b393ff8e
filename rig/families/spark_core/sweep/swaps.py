"""Swaps of the keys between a Core and its cloud, as rig.campaign.swaps asks for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from functools import cache
from typing import Any

from rig.errors import Misuse
from rig.families.spark_core.formats.flash import GENERATIONS
from rig.families.spark_core.sweep.swap_in_memory import CoreSetupInMemory
from rig.families.spark_core.trust.key_scenario import KeyScenario, load_key_scenarios
from rig.firmware.checkout import part
from rig.firmware.manifest import Image
from rig.trust.expectation import read_scenario

#: Parts of images that a swap needs, and one that is longer on its way where there is one.
ROLES, LONG = ("old", "new"), "full"


class CoreSwaps:
    """Every scenario of firmware-fixtures/key-scenarios.toml, on a bootloader."""

    choices: Mapping[str, tuple[str, ...]] = {"generation": ("b", *(name for name in GENERATIONS if name != "b"))}

    def scenarios(self) -> Mapping[str, KeyScenario]:
        """Those of the file."""
        return _scenarios()

    def read(self, fields: Mapping[str, Any]) -> KeyScenario:
        """One of its own. Raises Misuse."""
        return read_scenario(KeyScenario, fields)

    def chosen(self, tags: Mapping[str, str]) -> dict[str, str]:
        """The bootloader that a place says it has; of a release of C that is not modelled, C's usual one."""
        known, told = self.choices["generation"], tags.get("generation", "")
        return {"generation": next((name for name in (told, told[:1]) if name in known), known[0])}

    def images(
        self, roles: Mapping[str, Image], _roles_of: Callable[[str], Mapping[str, Image]]
    ) -> Mapping[str, Image]:
        """What runs, and what it is offered."""
        return {role: roles[role] for role in (*ROLES, LONG) if role in roles}

    def setup(self, choices: Mapping[str, str], images: Mapping[str, Image], _at: datetime) -> CoreSetupInMemory:
        """A Core on the model: its keys have no dates. Raises Misuse."""
        if missing := set(ROLES) - set(images):
            raise Misuse(f"a swap needs an image that plays {min(missing)}", hint=f"{min(missing)}=SHA-256")
        return CoreSetupInMemory(choices["generation"], images)


@cache
def _scenarios() -> Mapping[str, KeyScenario]:
    return load_key_scenarios(part("firmware-fixtures", "key-scenarios.toml"))
