"""Bring-up of many boards at once: each in a process of its own, because labgrid's drivers are not for two threads."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path

from rig.boards.bring_up import UNKNOWN, BroughtUp, Recipe, bring_up
from rig.errors import LabFault, RigError
from rig.firmware.manifest import Manifest
from rig.lab.acquisition import Boards
from rig.lab.children import die_with
from rig.lab.health import is_suspect
from rig.lab.targets import the_core


@dataclass(frozen=True, slots=True)
class Lab:
    """Where boards are: a coordinator and a labgrid environment for its places."""

    coordinator: str
    environment: Path


@dataclass(frozen=True, slots=True)
class Brought:
    """What came of one place: the board as it is now, or the fault that stopped it."""

    place: str
    board: BroughtUp | None
    fault: str = ""
    exit_status: int = 0


def bring_up_places(lab: Lab, places: list[str], recipe: Recipe, manifest: Path, at_once: int) -> Iterator[Brought]:
    """Bring boards up, and tell of each as soon as it is done; one that fails is put into quarantine."""
    with Boards(lab.coordinator, lab.environment):
        pass  # what a dead process has of these places is given back before they are asked for
    context = multiprocessing.get_context("spawn")
    at_once = min(at_once, len(places))
    with ProcessPoolExecutor(at_once, context, initializer=die_with, initargs=(os.getpid(),)) as pool:
        work = {pool.submit(_bring_one_up, lab, place, recipe, manifest): place for place in places}
        for done in as_completed(work):
            error = done.exception()
            if error is None:
                yield done.result()
            else:
                yield Brought(work[done], None, f"its process broke: {error!r}", LabFault.exit_status)


def _bring_one_up(lab: Lab, place: str, recipe: Recipe, manifest: Path) -> Brought:
    steps = ["acquiring"]
    try:
        with Boards(lab.coordinator, lab.environment, reaps=False) as boards:
            board = the_core(boards.take(place))
            try:
                told = bring_up(board, recipe, Manifest.load(manifest), steps.append)
            except RigError as error:
                if is_suspect(board, error):
                    boards.quarantine(place, f"bring-up {steps[-1]}: {error.message}")
                raise
            if told.generation != UNKNOWN:
                boards.tell(place, generation=told.generation)
            boards.acquit(place)
            return Brought(place, told)
    except RigError as error:
        return Brought(place, None, f"while {steps[-1]}: {error}", error.exit_status)
