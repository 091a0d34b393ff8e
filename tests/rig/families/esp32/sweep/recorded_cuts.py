"""Recorded cuts of genuine second stages as scenarios: the start that was cut is the update."""

from __future__ import annotations

from typing import Any

from rig.families.esp32.formats.second_stage import BOOTLOADER_OFFSET
from rig.families.esp32.sweep.start import settle
from rig.families.esp32.twin.board import Esp32
from rig.families.esp32.twin.chip import Chip
from rig.families.esp32.twin.memory import Esp32Memory
from rig.sweep.chunk import ChunkSweep
from rig.sweep.cut_points import BEFORE, Flash, contents_at
from rig.sweep.scenario import Scenario, Settled, Update, checked
from rig.twin.memory import Contents, Memory
from tests.rig.families.esp32.formats.recordings import boot_flash, build
from tests.rig.families.esp32.formats.test_boot_vectors import torn
from tests.rig.sweep.plans import MANIFEST

Case = dict[str, Any]


def beginning(case: Case) -> str:
    """What is the same for all cuts of one start."""
    return repr((case["layout"], case["slots"], case["otadata"]))


def _nobody_knows(_area: bytes) -> None:
    """What application it is matters to no second stage."""


class RecordedStart:
    """One start of a recorded second stage, and every cut in it."""

    def __init__(self, recording: str, case: Case):
        self._config = build(recording)
        memory, flash = Esp32Memory(), boot_flash(recording, case)
        stage = MANIFEST.roles("esp32")["bootloader"].data
        flash[BOOTLOADER_OFFSET : BOOTLOADER_OFFSET + len(stage)] = stage  # so that the ROM finds one
        memory.flash.load(bytes(flash))
        self._before = memory.snapshot()
        self._start(memory)
        runs = tuple(memory.journal.runs)
        self._update = checked(Update(self._before, runs, ("start",) * len(runs)))
        self._sweep = ChunkSweep(Scenario("esp32", Esp32Memory, self._update, self._start), (), seed=0)
        self._map = self._sweep.sweep_all().spans

    def on_the_map(self, cut: Case) -> str:
        """Where the board goes after a recorded cut: which partition it starts."""
        if cut["mode"] == "torn":
            return self._sweep.settle(self._torn(cut)).became
        k = cut["k"] + (cut["mode"] == "after")
        return next(span.settled.became for span in self._map if span.first <= k <= span.last)

    def _torn(self, cut: Case) -> Contents:
        """The recorded tear is none of ours: flash as it was left."""
        memory, update, k = Esp32Memory(), self._update, cut["k"]
        memory.restore(contents_at(Flash(Esp32Memory(), update, 0), update, k, BEFORE))
        run = update.runs[update.run_of(k)].operation(k)
        memory.flash.tear(run, lambda _kind, old, _new: torn(cut, old))
        return memory.snapshot()

    def _start(self, memory: Memory) -> Settled:
        board = Esp32(
            memory,  # type: ignore[arg-type]
            Chip(flash_size=Esp32Memory().size),
            find=_nobody_knows,
            bootloaders=lambda _area, _chip: self._config,
            time_scale=0,
        )
        board.power_on(0)
        settle(board)
        return Settled(board.running or "nothing", "self")
