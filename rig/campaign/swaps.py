"""What a family gives to replays of swaps: scenarios of servers' identities, and where they are played in memory."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any, Protocol, cast

from rig import registry
from rig.errors import Misuse

if TYPE_CHECKING:
    from rig.campaign.swap import ScenarioSetup
    from rig.firmware.manifest import Image
    from rig.trust.expectation import AnyScenario


class Swaps(Protocol):
    """Of one kind of board."""

    @property
    def choices(self) -> Mapping[str, tuple[str, ...]]:
        """What makes a difference beside images, such as a generation of bootloader; the usual value comes first."""

    def scenarios(self) -> Mapping[str, AnyScenario]:
        """All that there are, by name. Raises Misuse where their file cannot be read."""

    def read(self, fields: Mapping[str, Any]) -> AnyScenario:
        """A scenario of its own from what its file would say of it. Raises Misuse."""

    def chosen(self, tags: Mapping[str, str]) -> dict[str, str]:
        """The values of choices for a board whose place has these tags."""

    def images(self, roles: Mapping[str, Image], roles_of: Callable[[str], Mapping[str, Image]]) -> Mapping[str, Image]:
        """What a swap uses of a run's images, by role; `roles_of` gives the roles of another variant."""

    def setup(self, choices: Mapping[str, str], images: Mapping[str, Image], at: datetime) -> ScenarioSetup[Any]:
        """A board on the model, with servers in memory, where a scenario is played as if it were `at` then.

        Raises Misuse where images are missing.
        """


def swaps_of(kind: str) -> Swaps:
    """What boards of a kind bring. Raises Misuse for a kind that nobody knows, or that brings none."""
    if (swaps := known_swaps(kind)) is None:
        raise Misuse(f"no scenario of servers' identities is played with a {kind} on the model")
    return swaps


def known_swaps(kind: str) -> Swaps | None:
    """The same; None for a kind that brings none."""
    return cast("Swaps | None", registry.family(kind).campaign.swaps)


def scenario_of(swaps: Swaps, kind: str, name: str) -> AnyScenario:
    """A scenario by its name. Raises Misuse for one that there is not."""
    known = swaps.scenarios()
    if name not in known:
        raise Misuse(f"no scenario of a {kind} is called {name!r}", hint=f"there are {len(known)}, as {min(known)}")
    return known[name]
