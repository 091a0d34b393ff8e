"""Updates over the air as trials: a Core online, an update by the rack's cloud, a cut aimed by what the cloud tells."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from rig.boards.board import Contents
from rig.drivers.dfu_host import EraseOrder
from rig.drivers.progress import Watcher
from rig.errors import LabFault
from rig.families.spark_core.boards.board import SparkCore
from rig.families.spark_core.boards.online import UpdateUnderWay
from rig.families.spark_core.campaign.dfu_trial import APP, COPY_SHOWN_BY, FLAGS, mark_sectors
from rig.families.spark_core.formats import flash as layout
from rig.families.spark_core.power.ota_landing import Download
from rig.firmware.manifest import Image
from rig.power.landing import Landing
from rig.power.trigger import Aim

SLOT = (layout.OTA_ADDRESS, layout.SLOT_SIZE)
SHOWN = (APP[0], FLAGS[0], layout.BACKUP_ADDRESS, SLOT[0])
LOOK_EVERY_SECONDS = 0.05
#: How long a thread takes to see that nobody waits any more; one whose update has begun waits for the cloud.
GIVES_UP_WITHIN_SECONDS = 2.0


@dataclass(frozen=True)
class CloudUpdate:
    """Update over the air to `target`, cut at `aim`: online, hello, begin, ready, download, done or copy."""

    path: ClassVar[str] = "cloud"
    landing_stretches: ClassVar[tuple[tuple[int, int], ...]] = (*COPY_SHOWN_BY, SLOT)
    order: ClassVar = EraseOrder.ALL_FIRST
    target: Image
    aim: Aim
    chunk_size: int = 256
    fast: bool = False
    #: Events of the cloud while it was tried.
    events: list[str] = field(default_factory=list, compare=False)

    @classmethod
    def cut_in_copy(cls, phase: str, share: float, target: Image, board: SparkCore) -> CloudUpdate:
        """Cut when `share` of a phase of the bootloader's copy is done, by the place's timing."""
        moment = board.timing.copy_moment(phase, share, after=board.timing.before_copy, backs_up=True, marks=1)
        return cls(target, Aim("copy", delay_ms=1000 * moment))

    @property
    def roles(self) -> Mapping[str, Image]:
        """What is sent is the new image."""
        return {"new": self.target}

    def prepare(self, board: SparkCore) -> None:
        """Mark the slot, sector by sector."""
        mark_sectors(board, *SLOT)

    def start(self, board: SparkCore, watch: Watcher) -> None:
        """Bring the Core online and update it, until that is over or the supply is gone. Raises LabFault."""
        assert board.online is not None
        self.events.clear()
        with board.online.watched(watch) as events:
            board.start()
            work = UpdateUnderWay(lambda: self._go_online_and_update(board, work.given_up.is_set))
            work.start()
            try:
                while work.is_alive() and board.relay.get():
                    work.join(LOOK_EVERY_SECONDS)
            finally:
                self.events.extend(events)
                work.give_up()
        if work.is_alive():
            board.online.hang_up()
            work.join(GIVES_UP_WITHIN_SECONDS)
            raise LabFault("the supply is gone", board=board.name)
        if work.error is not None:
            raise LabFault(f"the update ended by itself: {work.error}", board=board.name) from work.error

    def _go_online_and_update(self, board: SparkCore, given_up: Callable[[], bool]) -> dict[str, Any]:
        board.go_online(given_up)
        assert board.online is not None
        return board.online.update(self.target, chunk_size=self.chunk_size, fast=self.fast)

    def locate(self, before: Contents, after: Contents) -> Landing:
        """By everything that is shown, and by what the cloud told."""
        sent = self.target.data.ljust(-(-len(self.target) // self.chunk_size) * self.chunk_size, b"\0")
        area, flags, backup, slot = (before[key] for key in SHOWN)
        return Download(area, flags, backup, slot, sent, self.events).locate(*(after[key] for key in SHOWN))
