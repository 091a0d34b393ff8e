"""What a family knows of campaigns with its boards: the trial that shows one to be healthy, setups for scenarios."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from rig.campaign.strata import BoardSweeps
    from rig.campaign.swap import ScenarioSetup
    from rig.campaign.swaps import Swaps
    from rig.campaign.trial import Trial
    from rig.firmware.manifest import Image
    from rig.sweep.family import Sweeps


class Campaign(Protocol):
    """Of one kind of board."""

    @property
    def sweeps(self) -> Sweeps:
        """Its update paths on the model, where every cut of them can be looked at."""

    @property
    def swaps(self) -> Swaps | None:
        """Where scenarios of servers' identities are played on the model; None where there are none."""

    @property
    def board_sweeps(self) -> BoardSweeps:
        """Its update paths on boards, where cuts are drawn from every phase that a relay can hit."""

    def control_trial(self, roles: Mapping[str, Image]) -> Trial[Any]:
        """An update to what the board has already, cut on the way: it shows that cuts work here."""

    def scenario_setup(
        self, board: Any, roles: Mapping[str, Image], roles_of: Callable[[str], Mapping[str, Image]]
    ) -> AbstractContextManager[ScenarioSetup[Any]]:
        """Where scenarios of servers' identities are played on a board, as a context.

        `roles_of` gives the roles of another variant of the manifest. Raises ScenarioUnavailable where it lacks one.
        """
