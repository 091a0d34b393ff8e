"""Pinboards as the rig knows them: rig.family.contract says what each member is for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from pinboard import KIND

if TYPE_CHECKING:
    from pinboard.boards import Pinboard
    from pinboard.campaign import PinboardCampaign
    from pinboard.firmware import PinboardImages
    from pinboard.lab import PinboardSlot
    from pinboard.recovery import PinboardRecovery
    from rig.evidence.update_path import UpdatePath
    from rig.family.contract import BoardFamily
    from rig.family.place import PlaceDescription
    from rig.family.suites import Suites
    from rig.family.verb import Verb
    from rig.firmware.cases import KnownCases


class PinboardFamily:
    """A board with one flash, one button and one TCP port."""

    kind = KIND
    title = KIND

    @property
    def images(self) -> PinboardImages:
        """Its images."""
        from pinboard.firmware import PinboardImages

        return PinboardImages()

    @property
    def update_paths(self) -> Mapping[str, UpdatePath]:
        """Over its port."""
        from pinboard.campaign import PATHS

        return PATHS

    @property
    def board(self) -> type[Pinboard]:
        """The board."""
        from pinboard.boards import Pinboard

        return Pinboard

    @property
    def recovery(self) -> PinboardRecovery:
        """Its rungs and its known state."""
        from pinboard.recovery import PinboardRecovery

        return PinboardRecovery()

    @property
    def campaign(self) -> PinboardCampaign:
        """Its control trial."""
        from pinboard.campaign import PinboardCampaign

        return PinboardCampaign()

    @property
    def place(self) -> PlaceDescription:
        """Its place."""
        from pinboard.lab import PINBOARD_PLACE

        return PINBOARD_PLACE

    @property
    def slot(self) -> type[PinboardSlot]:
        """Its board on a virtual rack."""
        from pinboard.lab import PinboardSlot

        return PinboardSlot

    @property
    def bring_up(self) -> None:
        """Its boards need none: reflashing writes all of them."""

    @property
    def suites(self) -> Suites:
        """What may be expected of it."""
        from rig.family.suites import Suites

        return Suites(_cases)

    @property
    def verbs(self) -> tuple[Verb, ...]:
        """Its verb."""
        from pinboard.cli import VERBS

        return VERBS


def _cases() -> KnownCases:
    from pinboard.campaign import CASES

    return CASES


FAMILY: BoardFamily = PinboardFamily()
