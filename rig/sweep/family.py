"""What a family gives to sweeps: its update paths on the model, and what may be chosen for them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Protocol, cast

from rig import registry
from rig.errors import Misuse
from rig.sweep.scenario import Scenario

if TYPE_CHECKING:
    from rig.firmware.manifest import Image
    from rig.sweep.discoveries import Documented


class Sweeps(Protocol):
    """Of one kind of board."""

    @property
    def paths(self) -> Mapping[str, str]:
        """Every path that can be swept, and in a few words what it does."""

    def choices(self, path: str) -> Mapping[str, tuple[str, ...]]:
        """What makes a difference to a path, such as a generation of bootloader; the usual value comes first."""

    def roles(self, path: str) -> frozenset[str]:
        """Parts of images that a path uses, where the firmware has them."""

    def documented(self, path: str, choices: Mapping[str, str]) -> Documented:
        """What is documented of cuts in each phase; what a sweep finds beside it is a discovery. Empty: nothing is."""

    def scenario(self, path: str, choices: Mapping[str, str], images: Mapping[str, Image]) -> Scenario:
        """An update by a path with a value for every choice, performed once in memory; `images` are by role.

        Raises Misuse where images that the path needs are missing, or do not fit.
        """


def sweeps_of(kind: str) -> Sweeps:
    """What boards of a kind bring. Raises Misuse for a kind that nobody knows, LabFault for one that does not load."""
    return cast(Sweeps, registry.family(kind).campaign.sweeps)


def checked_path(sweeps: Sweeps, kind: str, path: str) -> str:
    """A path that somebody named. Raises Misuse for one that there is not."""
    if path not in sweeps.paths:
        raise Misuse(f"no update path of a {kind} is called {path!r}", hint=f"one of {', '.join(sweeps.paths)}")
    return path


def checked_choices(sweeps: Sweeps, kind: str, path: str, chosen: Mapping[str, str]) -> dict[str, str]:
    """A value for every choice of a path, the usual one where nothing was said. Raises Misuse for what there is not."""
    return checked_values(sweeps.choices(path), f"{path} of a {kind}", chosen)


def checked_values(known: Mapping[str, tuple[str, ...]], of: str, chosen: Mapping[str, str]) -> dict[str, str]:
    """The same for any choices; `of` says in an error what they are for."""
    for name, value in chosen.items():
        if name not in known:
            there_is = ", ".join(known) or "nothing"
            raise Misuse(f"nothing called {name!r} can be chosen for {of}", hint=f"there is {there_is}")
        if value not in known[name]:
            raise Misuse(f"{name} {value!r} is not known", hint=f"one of {', '.join(known[name])}")
    return {name: chosen.get(name, values[0]) for name, values in known.items()}
