"""Campaigns with Spark Cores: the control trial is a DFU update, and their cloud takes a scenario's keys.

What drives boards is loaded when a board is there: sweeps and replays on the model begin sooner.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rig.families.spark_core.boards.board import SparkCore
    from rig.families.spark_core.campaign.dfu_trial import DfuTrial
    from rig.families.spark_core.campaign.scenario_setup import CoreScenarioSetup
    from rig.families.spark_core.campaign.strata import CoreBoardSweeps
    from rig.families.spark_core.sweep.scenarios import CoreSweeps
    from rig.families.spark_core.sweep.swaps import CoreSwaps
    from rig.firmware.manifest import Image


class CoreCampaign:
    """As rig.campaign.campaign asks for."""

    @property
    def sweeps(self) -> CoreSweeps:
        """Every path but the radio's."""
        from rig.families.spark_core.sweep.scenarios import CoreSweeps

        return CoreSweeps()

    @property
    def swaps(self) -> CoreSwaps:
        """Keys of its cloud, and its own."""
        from rig.families.spark_core.sweep.swaps import CoreSwaps

        return CoreSwaps()

    @property
    def board_sweeps(self) -> CoreBoardSweeps:
        """DFU, and the copies that its bootloader makes."""
        from rig.families.spark_core.campaign.strata import CoreBoardSweeps

        return CoreBoardSweeps()

    def control_trial(self, roles: Mapping[str, Image]) -> DfuTrial:
        """The golden image over itself, cut while it is written."""
        from rig.families.spark_core.campaign.dfu_trial import DfuTrial
        from rig.power.trigger import Aim

        return DfuTrial(roles["old"], Aim("program", 0.5, 1))

    def scenario_setup(
        self, board: SparkCore, roles: Mapping[str, Image], _roles_of: Callable[[str], Mapping[str, Image]]
    ) -> CoreScenarioSetup:
        """Its cloud takes other keys."""
        from rig.families.spark_core.campaign.scenario_setup import CoreScenarioSetup

        return CoreScenarioSetup(board, roles)
