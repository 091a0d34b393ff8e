"""Board families that are installed: found by their entry points, each loaded when somebody first asks for it.

What a family gives is written down in rig.family.contract; a room below that takes the part that it has a protocol for.
"""

from __future__ import annotations

from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from rig.errors import LabFault, Misuse, RigError

#: Entry points of this group are called after the kind of board, and name the family's object.
GROUP = "rig.board_families"


@cache
def _found() -> dict[str, EntryPoint]:
    found: dict[str, EntryPoint] = {}
    for point in entry_points(group=GROUP):
        if found.setdefault(point.name, point).value != point.value:
            raise Misuse(
                f"two packages have boards of kind {point.name}: {found[point.name].value} and {point.value}",
                hint="uninstall one of them",
            )
    return dict(sorted(found.items()))


def kinds() -> tuple[str, ...]:
    """Every kind of board that is known, in order; none is loaded for that."""
    return tuple(_found())


def is_kind(name: str | None) -> bool:
    """Whether boards of this kind are known."""
    return name in _found()


def checked_kind(name: str) -> str:
    """A kind of board that somebody named. Raises Misuse for one that nobody knows."""
    if name not in _found():
        raise Misuse(f"no kind of board is called {name!r}", hint=f"one of {', '.join(kinds())}")
    return name


def package_of(kind: str) -> str:
    """The package that boards of a kind are from. Raises Misuse for a kind that nobody knows."""
    return _found()[checked_kind(kind)].module.partition(".")[0]


class _Family:
    """A family, whose members raise LabFault for whatever another's package does when a part of it is imported."""

    def __init__(self, loaded: Any, point: EntryPoint):
        self._loaded, self._point = loaded, point

    def __getattr__(self, name: str) -> Any:
        if not hasattr(type(self._loaded), name) and name not in vars(self._loaded):
            raise AttributeError(f"the family of {self._point.name} has no {name}")
        try:
            return getattr(self._loaded, name)
        except RigError:
            raise
        except Exception as error:
            raise _does_not_load(self._point, error) from error


@cache
def family(kind: str) -> Any:
    """The family of boards of a kind. Raises Misuse for one that nobody knows, LabFault for one that does not load.

    Each member of it may raise LabFault, too: it is loaded when it is asked for.
    """
    point = _found()[checked_kind(kind)]
    try:
        found = _Family(point.load(), point)
        named = getattr(found, "kind", kind)
    except Exception as error:  # whatever another's package does when it is imported
        raise _does_not_load(point, error) from error
    if named != kind:
        raise _does_not_load(point, f"it calls itself {named}")
    return found


def _does_not_load(point: EntryPoint, why: object) -> LabFault:
    return LabFault(f"the boards of kind {point.name} do not load: {why}", hint=f"its package offers {point.value}")
