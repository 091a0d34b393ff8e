"""A pinboard's update as sweeps cut it: over its port, from the first sector to the application that runs."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from pinboard import KIND
from pinboard.formats import APP, FLAG, FLASH_SIZE, SECTOR, STAGE, TCP
from pinboard.memory import PinboardMemory
from pinboard.twin import Pinboard
from rig.firmware.catalogue import Catalogue
from rig.firmware.manifest import Image
from rig.sweep.discoveries import Documented
from rig.sweep.scenario import Scenario, Settled, Update, checked
from rig.twin.flash import Run
from rig.twin.memory import Memory

#: More steps than any start takes that ends; an image that crashes starts for ever.
MOST_STEPS = 400


class PinboardSweeps:
    """As rig.sweep.family asks for."""

    paths: Mapping[str, str] = {TCP: "an update over its port"}

    def roles(self, path: str) -> frozenset[str]:
        """Its application before and after."""
        return frozenset({"old", "new"})

    def choices(self, path: str) -> Mapping[str, tuple[str, ...]]:
        """Nothing."""
        return {}

    def documented(self, path: str, choices: Mapping[str, str]) -> Documented:
        """Nothing."""
        return {}

    def scenario(self, path: str, choices: Mapping[str, str], images: Mapping[str, Image]) -> Scenario:
        """Let a board take the new image, once."""
        find = Catalogue(images.values()).find
        memory = PinboardMemory()
        memory.flash.load(b"\xff" * APP + images["old"].data.ljust(FLASH_SIZE - APP, b"\xff"))
        before = memory.snapshot()
        update(Pinboard(memory, find, time_scale=0), images["new"].data)
        runs = tuple(memory.journal.runs)
        done = checked(Update(before, runs, tuple(map(phase_of, runs))))
        return Scenario(KIND, PinboardMemory, done, cold_start(find, images))


def update(board: Pinboard, image: bytes) -> None:
    """What a host sends, and the copy after it."""
    board.power_on(0)
    settle(board)
    for at in range(0, len(image), SECTOR):
        _tell(board, f"data {at:x} {image[at : at + SECTOR].hex()}")
    _tell(board, f"commit {len(image):x}")


def cold_start(find: Callable[[bytes], Image | None], images: Mapping[str, Image]) -> Callable[[Memory], Settled]:
    """A start until the board waits. One without an application is written anew by its reader: it has a button."""
    roles = {image.version: role for role, image in images.items()}

    def start(memory: Memory) -> Settled:
        assert isinstance(memory, PinboardMemory)
        board = Pinboard(memory, find, time_scale=0)
        board.power_on(0)
        settle(board)
        if board.running is not None:
            return Settled(roles.get(board.running, "other"), "self")
        return Settled("empty", "reflash")

    return start


def settle(board: Pinboard) -> None:
    """Let it do what it does until it waits."""
    for _ in range(MOST_STEPS):
        if not board.step():
            return


def phase_of(run: Run) -> str:
    """What a run does, by where."""
    if FLAG <= run.address < FLAG + SECTOR:
        return "forget" if run.data == bytes(len(run.data)) else "commit"
    return "download" if run.address >= STAGE else "copy"


def _tell(board: Pinboard, line: str) -> None:
    board.received(f"{line}\n".encode(), board.time)
    settle(board)
