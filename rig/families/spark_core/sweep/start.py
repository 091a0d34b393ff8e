"""A Core's cold start on the model: until it settles, and what it takes to heal it then."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from rig.families.spark_core.firmware.identity import CoreCatalogue
from rig.families.spark_core.twin.boot_once import settle
from rig.families.spark_core.twin.core import Core
from rig.families.spark_core.twin.memory import CoreMemory
from rig.firmware.manifest import Image
from rig.firmware.roles import OUTCOME_ROLES
from rig.sweep.scenario import Settled
from rig.twin.memory import Memory

#: How long MODE is held to reach DFU: every generation selects it after three seconds, and something else after six.
HELD_SECONDS = 4.0


@dataclass(frozen=True, slots=True)
class ColdStart:
    """Starts Cores of one generation that know the images of a run."""

    generation: str
    catalogue: CoreCatalogue
    #: Roles of images that a Core may come back with, by name.
    roles: Mapping[str, str]

    @classmethod
    def of(cls, generation: str, images: Mapping[str, Image]) -> ColdStart:
        """For the images of a run by role."""
        roles = {images[role].name: role for role in reversed(OUTCOME_ROLES) if role in images}
        return cls(generation, CoreCatalogue(images.values()), roles)

    def core(self, memory: Memory) -> Core:
        """A Core without power."""
        assert isinstance(memory, CoreMemory)
        return Core(memory, self.catalogue.identify, generation=self.generation)

    def __call__(self, memory: Memory) -> Settled:
        """Start cold, and settle; what does not run is taken to DFU by its button, as the rescue ladder does it."""
        core = self.core(memory)
        core.power_on(0)
        became = settle(core)
        if became == "app":
            return Settled(self.roles.get(core.running or "", "other"), "self")
        if became == "dfu":
            return Settled(became, "reflash")
        journal = memory.journal  # of what it did by itself: a second cut is in that
        healed = reaches_dfu(core)
        memory.journal = journal
        return Settled(became, "reflash" if healed else "none")


def reaches_dfu(core: Core) -> bool:
    """Whether a power cycle with MODE held for a while ends in DFU."""
    core.power_off(core.time)
    into_dfu(core)
    return core.usb is not None and core.usb.identity == "1d50:607f"


def into_dfu(core: Core) -> Core:
    """Power on with MODE held until DFU is selected."""
    core.mode_held = True
    core.power_on(core.time)
    core.advance(core.time + HELD_SECONDS)
    core.press_mode(False, core.time)
    core.advance(core.time + 1)
    return core
