"""How ESP32s are brought back: reflashing writes the golden set that the roles make."""

from __future__ import annotations

from collections.abc import Mapping

from rig.families.esp32.boards.board import Esp32
from rig.families.esp32.boards.golden import golden_set
from rig.families.esp32.recovery.rescue import Esp32Rescue, restore_esp32_state
from rig.firmware.manifest import Image


class Esp32Recovery:
    """As rig.recovery.recovery asks for."""

    def rescue(self, board: Esp32, roles: Mapping[str, Image], _golden: Image) -> Esp32Rescue:
        """Its rungs."""
        return Esp32Rescue(board, golden_set(roles))

    def restore_known_state(self, board: Esp32, roles: Mapping[str, Image]) -> None:
        """The golden set, started once, in download mode. Raises DeviceFault."""
        restore_esp32_state(board, roles)
