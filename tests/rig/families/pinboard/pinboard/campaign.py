"""What one may try on a pinboard and cut: an update. What campaigns ask for beside it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

from pinboard.boards import Pinboard
from pinboard.formats import APP, FLAG, REQUEST_SIZE, ROOM, STAGE, TCP, sectors
from pinboard.power import Update
from rig.boards.board import Contents
from rig.campaign.strata import BoardPath, TrialAt, share_of_piece
from rig.campaign.swap import ScenarioUnavailable
from rig.drivers.dfu_host import EraseOrder
from rig.drivers.progress import Watcher
from rig.evidence.update_path import IMAGE, Phase, Stretch, UpdatePath
from rig.firmware.cases import KnownCases
from rig.firmware.manifest import Image
from rig.power.landing import Landing
from rig.power.trigger import Aim

if TYPE_CHECKING:
    from pinboard.sweep import PinboardSweeps


#: What a sector takes to be erased and written.
SECTOR_SECONDS = 0.045


@dataclass(frozen=True)
class TcpUpdate:
    """Update to `target` over the board's port, cut at `aim`: in download, commit or copy."""

    path: ClassVar[str] = TCP
    landing_stretches: ClassVar[tuple[tuple[int, int], ...]] = ((APP, ROOM), (FLAG, REQUEST_SIZE), (STAGE, ROOM))
    order: ClassVar[EraseOrder] = EraseOrder.INTERLEAVED
    target: Image
    aim: Aim
    roles: Mapping[str, Image] = field(default_factory=dict)

    def prepare(self, board: Pinboard) -> None:
        """Nothing."""

    def start(self, board: Pinboard, watch: Watcher) -> None:
        """Start the application, and let it take the update. Raises LabFault when the board is gone."""
        board.start()
        board.must.be_alive(board.start_seconds)
        board.update(self.target, watch)

    def locate(self, before: Contents, after: Contents) -> Landing:
        """By all three stretches."""
        return Update(before[APP], self.target.data).locate(after[APP], after[FLAG], after[STAGE])


def _sectors(phase: str) -> TrialAt:
    """A phase that works sector by sector, and tells when it begins one."""

    def trial(position: float, board: Pinboard, roles: Mapping[str, Image]) -> TcpUpdate:
        share, part = share_of_piece(position, sectors(len(roles["new"])))
        return TcpUpdate(roles["new"], Aim(phase, share, 1000 * part * SECTOR_SECONDS * board.scale))

    return trial


class PinboardBoardSweeps:
    """As rig.campaign.strata asks for."""

    paths: Mapping[str, BoardPath] = {
        TCP: BoardPath(
            "an update over its port",
            {phase: _sectors(phase) for phase in ("download", "copy")},
            {"button": "wired"},
        )
    }

    def path_of(self, trial: Any) -> str | None:
        """There is one."""
        return TCP

    def reader(self, path: str, roles: Mapping[str, Image], phase: str) -> TcpUpdate:
        """A trial that is not to be made: it reads landings."""
        return TcpUpdate(roles["new"], Aim("nowhere"))

    def choices(self, tags: Mapping[str, str], roles: Mapping[str, Image]) -> dict[str, str]:
        """There is one pinboard."""
        return {}


class PinboardCampaign:
    """As rig.campaign.campaign asks for."""

    board_sweeps = PinboardBoardSweeps()
    #: It asks no servers.
    swaps = None

    @property
    def sweeps(self) -> PinboardSweeps:
        """Its one path."""
        from pinboard.sweep import PinboardSweeps

        return PinboardSweeps()

    def control_trial(self, roles: Mapping[str, Image]) -> TcpUpdate:
        """The golden image again, cut while it is downloaded: what runs is not touched."""
        return TcpUpdate(roles["old"], Aim("download", 0.5, 25))

    def scenario_setup(self, board: Pinboard, roles: Mapping[str, Image], roles_of: Callable[[str], Any]) -> Any:
        """A pinboard knows no servers. Raises ScenarioUnavailable."""
        raise ScenarioUnavailable(
            "names nothing that scenarios of servers' identities are played with: a pinboard asks nobody"
        )


#: What cut maps are drawn on, and what something may be expected of.
PATHS: Mapping[str, UpdatePath] = {
    TCP: (
        Phase("download", 0.45, Stretch(STAGE)),
        Phase("commit", 0.05),
        Phase("forget", 0.05),
        Phase("copy", 0.45, IMAGE),
    )
}
CASES = KnownCases({TCP: ("download", "commit", "forget", "copy", "outside", "an image that crashes")})
