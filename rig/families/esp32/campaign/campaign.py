"""Campaigns with ESP32s: the control trial writes over the serial port, and servers show a scenario's identities.

What drives boards is loaded when a board is there: sweeps and replays on the model begin sooner.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from rig.campaign.swap import ScenarioUnavailable
from rig.families.esp32.firmware.details import CABLE
from rig.firmware.manifest import Image

if TYPE_CHECKING:
    from rig.families.esp32.boards.board import Esp32
    from rig.families.esp32.campaign.scenario_setup import Esp32ScenarioSetup
    from rig.families.esp32.campaign.strata import Esp32BoardSweeps
    from rig.families.esp32.campaign.trial import SerialFlash
    from rig.families.esp32.sweep.scenarios import Esp32Sweeps
    from rig.families.esp32.sweep.swaps import Esp32Swaps


class Esp32Campaign:
    """As rig.campaign.campaign asks for."""

    @property
    def sweeps(self) -> Esp32Sweeps:
        """Updates over HTTPS."""
        from rig.families.esp32.sweep.scenarios import Esp32Sweeps

        return Esp32Sweeps()

    @property
    def swaps(self) -> Esp32Swaps:
        """Certificates of the servers that it asks."""
        from rig.families.esp32.sweep.swaps import Esp32Swaps

        return Esp32Swaps()

    @property
    def board_sweeps(self) -> Esp32BoardSweeps:
        """Over the serial port, and over HTTPS."""
        from rig.families.esp32.campaign.strata import Esp32BoardSweeps

        return Esp32BoardSweeps()

    def control_trial(self, roles: Mapping[str, Image]) -> SerialFlash:
        """The golden application over itself, cut while it is written."""
        from rig.families.esp32.boards.golden import golden_set
        from rig.families.esp32.campaign.trial import SerialFlash
        from rig.power.trigger import Aim

        slot = golden_set(roles).table.slot(0)
        assert slot is not None, "a golden set has slots"
        return SerialFlash(roles["old"], slot.offset, Aim("program", 0.5, 1))

    def scenario_setup(
        self, board: Esp32, roles: Mapping[str, Image], roles_of: Callable[[str], Mapping[str, Image]]
    ) -> Esp32ScenarioSetup:
        """Its servers show it identities of its own; firmware by cable is another variant's.

        Raises ScenarioUnavailable where the manifest has none.
        """
        from rig.families.esp32.campaign.scenario_setup import Esp32ScenarioSetup

        by_cable = roles_of(CABLE).get("old")
        if by_cable is None:
            raise ScenarioUnavailable(f"names no variant {CABLE}, whose firmware comes by cable")
        return Esp32ScenarioSetup(board, roles, by_cable)
