"""A deep update as a trial: an image that rewrites its radio's memory, cut while it does.

DFU does not show that memory, so nothing reads the landing back: it is the window of the plan in which the supply went,
by the clock, and is told as inferred. What the cut cost shows in what comes back.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

from rig.boards.board import Contents
from rig.clock import poll
from rig.drivers.dfu_host import EraseOrder
from rig.drivers.progress import Progress, Watcher
from rig.errors import DeviceFault, LabFault
from rig.families.spark_core.boards.board import SparkCore
from rig.families.spark_core.campaign.dfu_trial import APP
from rig.families.spark_core.firmware.deep_updates import DeepUpdate
from rig.firmware.manifest import Image
from rig.power.landing import OUTSIDE, Landing
from rig.power.trigger import Aim

STARTS = "patch"
RECOVERABLE, RADIO_LOST = "recoverable", "radio lost"


@dataclass(frozen=True)
class PatchCut:
    """Write `target` over DFU, let it start, and cut in the middle of one window of `plan`."""

    path: ClassVar[str] = "deep-update"
    landing_stretches: ClassVar[tuple[tuple[int, int], ...]] = (APP,)
    order: ClassVar = EraseOrder.ALL_FIRST
    plan: DeepUpdate
    target: Image
    aim: Aim
    #: When the image was started and when its supply had gone, by our clock.
    moments: list[float] = field(default_factory=list, compare=False)

    @classmethod
    def cut_in(cls, window: str, plan: DeepUpdate, target: Image) -> PatchCut:
        """Cut in the middle of a window, on a board at full speed. Raises Misuse where the plan has no such window."""
        chosen = plan.window(window)
        return cls(plan, target, Aim(STARTS, delay_ms=1000 * (chosen.begins + chosen.seconds / 2)))

    @property
    def roles(self) -> Mapping[str, Image]:
        """What patches is the new image."""
        return {"new": self.target}

    def prepare(self, board: SparkCore) -> None:
        """Nothing."""

    def start(self, board: SparkCore, watch: Watcher) -> None:
        """Write, start, and wait for the cut. Raises LabFault when the supply is gone."""
        self.moments.clear()
        board.update(self.target)
        self.moments.append(time.monotonic())
        watch(Progress(STARTS, 0, 1, 1))
        gone = poll(lambda: not board.relay.get(), seconds=self.plan.seconds, clock=board.clock)
        self.moments.append(time.monotonic())
        if gone:
            raise LabFault("the supply is gone", board=board.name)

    def locate(self, before: Contents, after: Contents) -> Landing:
        """By the clock, where the image was whole."""
        address, _ = APP
        if after[address][: len(self.target)] != self.target.data or len(self.moments) != 2:
            return Landing(OUTSIDE, None, "read-back", "the image was not whole yet")
        ran = self.moments[1] - self.moments[0]
        for window in self.plan.windows:
            if window.begins <= ran < window.begins + window.seconds:
                return Landing(window.name, None, "inferred", f"{ran:.2f} s after its start: costs {window.costs}")
        return Landing(OUTSIDE, None, "inferred", f"{ran:.2f} s after its start")


def what_it_cost(board: SparkCore) -> str:
    """`recoverable` for a board that goes online again with its firmware as it is, else `radio lost`.

    A Core whose radio is lost may well listen on USB: only the network tells.
    """
    board.start()
    try:
        board.go_online()
    except DeviceFault:
        return RADIO_LOST
    return RECOVERABLE
