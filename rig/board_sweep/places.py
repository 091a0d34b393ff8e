"""Which boards are swept, and by which of their paths."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from rig.errors import Misuse
from rig.family.contract import family_of, is_ours
from rig.lab.acquisition import tags_of_places
from rig.lab.health import is_quarantined
from rig.registry import checked_kind


@dataclass(frozen=True, slots=True)
class SweptPlace:
    """A place, what its tags say, and the paths that its board is to be swept by."""

    name: str
    kind: str
    tags: Mapping[str, str]
    paths: tuple[str, ...]


def places_to_sweep(coordinator: str, chosen: Collection[str], kind: str | None, path: str | None) -> list[SweptPlace]:
    """The places that somebody names, or all healthy ones with a board of a kind; every path where none is named.

    Raises Misuse for a place, kind or path that there is not, LabFault without a coordinator.
    """
    known = tags_of_places(coordinator)
    if kind is not None:
        _check_path(checked_kind(kind), path)
    names = sorted(chosen) or [name for name, tags in sorted(known.items()) if _can_be_swept(tags, kind, path)]
    found = [_place(name, known, kind, path) for name in names]
    if not found:
        raise Misuse("no place has a healthy board to sweep", hint=f"places are {', '.join(sorted(known)) or 'none'}")
    return found


def _can_be_swept(tags: Mapping[str, str], kind: str | None, path: str | None) -> bool:
    if not is_ours(tags) or is_quarantined(tags) or kind not in (None, tags["board"]):
        return False
    known = family_of(tags["board"]).campaign.board_sweeps.paths
    return any(its.why_not(tags) is None for name, its in known.items() if path in (None, name))


def _place(name: str, known: Mapping[str, Mapping[str, str]], kind: str | None, path: str | None) -> SweptPlace:
    if name not in known:
        raise Misuse(f"no place is called {name}", hint=f"places are {', '.join(sorted(known)) or 'none'}")
    tags = known[name]
    if not is_ours(tags) or kind not in (None, tags["board"]):
        raise Misuse(f"{name} has a board of kind {tags.get('board', 'unknown')}, not {kind or 'one that is known'}")
    if is_quarantined(tags):
        raise Misuse(f"{name} is in quarantine", hint=f"`rig lab health {name} --control-cut` clears what is well")
    return SweptPlace(name, tags["board"], tags, _paths_on(name, tags, path))


def _paths_on(name: str, tags: Mapping[str, str], path: str | None) -> tuple[str, ...]:
    """The path that is named, or every one that a board can be swept by. Raises Misuse."""
    _check_path(tags["board"], path)
    known = family_of(tags["board"]).campaign.board_sweeps.paths
    why_not = {each: known[each].why_not(tags) for each in (known if path is None else (path,))}
    found = tuple(each for each, reason in why_not.items() if reason is None)
    if not found:
        reasons = "; ".join(f"{each}: {reason}" for each, reason in why_not.items())
        raise Misuse(f"its board cannot be swept by {reasons}", board=name)
    return found


def _check_path(kind: str, path: str | None) -> None:
    known = family_of(kind).campaign.board_sweeps.paths
    if path is not None and path not in known:
        raise Misuse(f"no path of a {kind} on boards is called {path!r}", hint=f"one of {', '.join(known) or 'none'}")
