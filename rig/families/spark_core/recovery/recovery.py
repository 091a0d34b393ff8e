"""How Spark Cores are brought back: reflashing writes the golden application over DFU."""

from __future__ import annotations

from collections.abc import Mapping

from rig.families.spark_core.boards.board import SparkCore
from rig.families.spark_core.recovery.rescue import CoreRescue, make_core_known
from rig.firmware.manifest import Image


class CoreRecovery:
    """As rig.recovery.recovery asks for."""

    def rescue(self, board: SparkCore, _roles: Mapping[str, Image], golden: Image) -> CoreRescue:
        """Its rungs."""
        return CoreRescue(board, golden)

    def make_known(self, board: SparkCore, roles: Mapping[str, Image]) -> None:
        """Golden application, previous and factory images in their slots, DFU. Raises DeviceFault, LabFault."""
        make_core_known(board, roles)
