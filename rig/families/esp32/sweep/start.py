"""An ESP32's start on the model: until its application has done what it does, with a network or without."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from rig.errors import LabFault
from rig.families.esp32.firmware.details import boots_of
from rig.families.esp32.twin.board import Esp32
from rig.families.esp32.twin.bootloaders import bootloaders_of
from rig.families.esp32.twin.chip import Chip
from rig.families.esp32.twin.memory import Esp32Memory
from rig.families.esp32.twin.questions import Questions
from rig.families.esp32.twin.steps import Bootloaders
from rig.firmware.catalogue import Catalogue
from rig.firmware.manifest import Image
from rig.firmware.roles import OUTCOME_ROLES
from rig.sweep.scenario import Settled
from rig.twin.memory import Memory

#: More than any start makes that ends.
MOST_STEPS = 20_000
#: So many in a row that change nothing: what the next one finds is what the last one found.
RESTARTS_UNTIL_LOOP = 4
#: What a start says that found nothing to run; a board that says it again will say it for ever.
_NOTHING = ("nothing-to-start", "no-bootloader")


@dataclass(frozen=True, slots=True)
class ColdStart:
    """Starts boards that know the images of a run, and have no network."""

    questions: Questions
    bootloaders: Bootloaders
    #: Roles of images that a board may come back with, by name.
    roles: Mapping[str, str]

    @classmethod
    def of(cls, images: Mapping[str, Image]) -> ColdStart:
        """For the images of a run by role."""
        applications = [image for image in images.values() if boots_of(image) is None]
        roles = {images[role].name: role for role in reversed(OUTCOME_ROLES) if role in images}
        return cls(Questions(Catalogue(applications).find), bootloaders_of(images.values()), roles)

    def board(self, memory: Memory, trust: Callable[[str], str | None] = lambda _name: None) -> Esp32:
        """A board without power; `trust` finds what its firmware pins."""
        assert isinstance(memory, Esp32Memory)
        return Esp32(
            memory,
            Chip(flash_size=memory.size),
            find=self.questions,
            bootloaders=self.bootloaders,
            trust=trust,
            time_scale=0,
        )

    def __call__(self, memory: Memory) -> Settled:
        """Start cold, and settle; whatever lies in flash, the ROM's loader can write it anew."""
        board = self.board(memory)
        board.power_on(0)
        if not settle(board):
            return Settled("loop", "reflash")
        if board.running is None:
            return Settled("unbootable", "reflash")
        started = max(at for at, event in enumerate(board.events) if event.name.startswith("start:"))
        if any(event.name == "hangs" for event in board.events[started:]):
            return Settled("hang", "reflash")
        return Settled(self.roles.get(board.events[started].name.split(":", 2)[2], "other"), "self")


def settle(board: Esp32, serve: Callable[[Esp32], bool] = lambda _board: False) -> bool:
    """Let a board do what it does until it waits for ever; `serve` does one thing that its network brings.

    One that finds nothing to start, and then again nothing, is left there. False for one that restarts again and again
    and writes nothing meanwhile: it will do so for ever. Raises LabFault where it does not settle.
    """
    begin, nothing, restarts, written = len(board.events), 0, 0, -1
    for _ in range(MOST_STEPS):
        if nothing > 1 or not (serve(board) or board.step()):
            return True
        if board.operations != written:
            restarts, written = 0, board.operations
        came = [event.name for event in board.events[begin:]]
        restarts += sum(name.startswith("restart:") for name in came)
        nothing += sum(name in _NOTHING for name in came)
        if restarts > RESTARTS_UNTIL_LOOP:
            return False
        begin = len(board.events)
    raise LabFault(f"a start does not end: {board.events[-1].name if board.events else 'nothing'} came last")
