"""Bring-up of many boards at once: each in a process of its own, because labgrid's drivers are not for two threads.

A process that is told to end, or whose parent is gone, gives its board back first: nothing stays behind.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Collection, Generator, Mapping
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path

from rig.errors import LabFault, Misuse, RigError
from rig.family.bring_up import BringUp, BringUpOptions, BroughtUp, Recipe
from rig.family.contract import family_of, is_ours
from rig.firmware.manifest import Manifest
from rig.firmware.run_firmware import load_firmware, refuse_synthetic
from rig.lab.acquisition import Boards, tags_of_places
from rig.lab.graceful_end import GracefulEnd
from rig.lab.health import is_suspect
from rig.lab.lab import Lab
from rig.process import exit_with_parent


@dataclass(frozen=True, slots=True)
class Brought:
    """What came of one place: the board as it is now, or the fault that stopped it."""

    place: str
    board: BroughtUp | None
    fault: str = ""
    exit_status: int = 0


def kinds_of(lab: Lab, places: Collection[str]) -> dict[str, str]:
    """The kind of board in each of these places; all places whose kind has a bring-up where none is named.

    A place that is not there, or has no board of ours, is left out: nobody can bring it up, and it is told so later.
    Raises Misuse for a kind that has no bring-up, LabFault without a coordinator.
    """
    kinds = {name: tags["board"] for name, tags in tags_of_places(lab.coordinator).items() if is_ours(tags)}
    if not places:
        return {name: kind for name, kind in sorted(kinds.items()) if family_of(kind).bring_up is not None}
    chosen = {name: kinds[name] for name in sorted(places) if name in kinds}
    for name, kind in chosen.items():
        _bring_up_of(kind, name)
    return chosen


def recipes_for(kinds: Collection[str], known: Manifest, options: BringUpOptions) -> dict[str, Recipe]:
    """What boards of each kind are to become. Raises Misuse."""
    return {kind: _bring_up_of(kind).recipe(known, options) for kind in sorted(set(kinds))}


def columns_of(kinds: Collection[str]) -> tuple[str, ...]:
    """What a table says of boards of these kinds, in order."""
    return tuple(dict.fromkeys(column for kind in sorted(kinds) for column in _bring_up_of(kind).columns))


def _bring_up_of(kind: str, place: str | None = None) -> BringUp:
    """How boards of a kind are brought up. Raises Misuse."""
    found = family_of(kind).bring_up
    if found is None:
        raise Misuse(f"boards of kind {kind} have no bring-up", board=place, hint="leave out what needs none")
    return found


def bring_up_places(
    lab: Lab, places: Collection[str], recipes: Mapping[str, Recipe], manifest: Path, at_once: int
) -> Generator[Brought, None, None]:
    """Bring boards up, each by its kind's recipe, and tell of each as soon as it is done.

    One that fails is put into quarantine.

    Whoever stops asking, or is interrupted, waits until those that are under way were given back.
    """
    with Boards(lab.coordinator, lab.environment):
        pass  # what a dead process has of these places is given back before they are asked for
    context = multiprocessing.get_context("spawn")
    at_once = min(at_once, len(places))
    with ProcessPoolExecutor(at_once, context, initializer=_begin, initargs=(os.getpid(),)) as pool:
        try:
            work = {pool.submit(_bring_one_up, lab, place, recipes, manifest): place for place in places}
            for done in as_completed(work):
                error = done.exception()
                if error is None:
                    yield done.result()
                else:
                    yield Brought(work[done], None, f"its process broke: {error!r}", LabFault.exit_status)
        except BaseException:
            _end(pool)
            raise


def _end(pool: ProcessPoolExecutor) -> None:
    """End all processes of a pool, each once it gave its board back."""
    pool.shutdown(wait=False, cancel_futures=True)
    children = multiprocessing.active_children()
    for child in children:
        child.terminate()
    for child in children:
        child.join()


#: How a process of the pool ends; set when it begins.
_ending: GracefulEnd


def _begin(parent: int) -> None:
    """Of a process of the pool: who ends it is its parent, and not Ctrl-C, which a terminal sends to both."""
    global _ending
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _ending = GracefulEnd()
    exit_with_parent(parent, signal.SIGTERM)


def _bring_one_up(lab: Lab, place: str, recipes: Mapping[str, Recipe], manifest: Path) -> Brought:
    with _ending.busy():
        return _brought(lab, place, recipes, manifest)


def _brought(lab: Lab, place: str, recipes: Mapping[str, Recipe], manifest: Path) -> Brought:
    steps = ["acquiring"]
    try:
        known = load_firmware(manifest)
        with Boards(lab.coordinator, lab.environment, reaps=False) as boards:
            board = boards.take(place)
            way, recipe = _bring_up_of(board.kind, place), recipes.get(board.kind)
            if recipe is None:
                raise Misuse(f"has a board of kind {board.kind} by now", board=place, hint="try again")
            refuse_synthetic(recipe.images, known, board.tags, place)
            try:
                with _ending.interruptible():
                    known_now = way.run(board, recipe, known, steps.append)
            except RigError as error:
                if is_suspect(board, error):
                    boards.quarantine(place, f"bring-up {steps[-1]}: {error.message}")
                raise
            if known_now.tags:
                boards.set_tags(place, **known_now.tags)
            boards.clear_quarantine(place)
            return Brought(place, known_now)
    except RigError as error:
        return Brought(place, None, f"while {steps[-1]}: {error}", error.exit_status)
