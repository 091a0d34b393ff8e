"""How Spark Cores are brought back: reflashing writes the golden application over DFU."""

from __future__ import annotations

from collections.abc import Mapping

from rig.families.spark_core.boards.board import SparkCore
from rig.families.spark_core.recovery.rescue import CoreRescue, restore_core_state
from rig.firmware.manifest import Image


class CoreRecovery:
    """As rig.recovery.recovery asks for."""

    def rescue(self, board: SparkCore, _roles: Mapping[str, Image], golden: Image) -> CoreRescue:
        """Its rungs."""
        return CoreRescue(board, golden)

    def restore_known_state(self, board: SparkCore, roles: Mapping[str, Image]) -> None:
        """Golden application, previous and factory images in their slots, DFU. Raises DeviceFault, LabFault."""
        restore_core_state(board, roles)
