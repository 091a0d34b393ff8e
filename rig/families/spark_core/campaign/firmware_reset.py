"""A factory reset that the running application asks for, as a trial (0.3 and later; generation A ignores it)."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass

from rig.drivers.progress import Progress, Watcher
from rig.errors import DeviceFault, LabFault
from rig.families.spark_core.boards.board import SparkCore
from rig.families.spark_core.campaign.dfu_trial import FactoryReset
from rig.firmware.manifest import Image
from rig.power.trigger import Aim


@dataclass(frozen=True)
class FirmwareFactoryReset(FactoryReset):
    """`target` lies in the factory slot, `running` is an application that can ask for it."""

    running: Image

    @classmethod
    def cut_in_copy(
        cls, phase: str, share: float, target: Image, running: Image, board: SparkCore
    ) -> FirmwareFactoryReset:
        """Cut when `share` of a phase of the bootloader's copy is done, by the place's timing."""
        moment = board.timing.copy_moment(phase, share, after=board.timing.before_copy, backs_up=False, marks=0)
        return cls(target, Aim("call", delay_ms=1000 * moment), running)

    @property
    def roles(self) -> Mapping[str, Image]:
        """What asks for the reset is the old image."""
        return {"factory": self.target, "old": self.running}

    def prepare(self, board: SparkCore) -> None:
        """Put the target into its slot, and the application that can reset where it runs."""
        super().prepare(board)
        board.update(self.running)
        if not board.is_alive(board.timing.start):
            raise LabFault(f"{self.running.name} does not run", board=board.name)
        board.enter_dfu()

    def start(self, board: SparkCore, watch: Watcher) -> None:
        """Ask for it, and wait for the cut; a Core that resets does not answer."""
        board.start()
        board.go_online()
        assert board.online is not None
        watch(Progress("call", 0, 1, 1))
        with contextlib.suppress(DeviceFault, LabFault):
            board.online.call("factoryreset")
