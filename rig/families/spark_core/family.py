"""Spark Cores as the rig knows them: rig.family.contract says what each member is for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rig.evidence.update_path import UpdatePath
    from rig.families.spark_core.boards.board import SparkCore
    from rig.families.spark_core.campaign.campaign import CoreCampaign
    from rig.families.spark_core.firmware.image_rules import CoreImages
    from rig.families.spark_core.lab.bring_up import CoreBringUp
    from rig.families.spark_core.lab.rack_slot import CoreSlot
    from rig.families.spark_core.recovery.rescue import CoreRecovery
    from rig.family.contract import BoardFamily
    from rig.family.place import PlaceDescription
    from rig.family.suites import Suites
    from rig.family.verb import Verb
    from rig.firmware.cases import KnownCases


class SparkCoreFamily:
    """An STM32F103 with a CC3000 radio, of 2013 and 2014."""

    kind = "spark-core"
    title = "Spark Core"

    @property
    def images(self) -> CoreImages:
        """Its images."""
        from rig.families.spark_core.firmware.image_rules import IMAGES

        return IMAGES

    @property
    def update_paths(self) -> Mapping[str, UpdatePath]:
        """Over DFU, from the external flash, over the cloud, and of the radio."""
        from rig.families.spark_core.campaign.update_paths import CORE_PATHS

        return CORE_PATHS

    @property
    def board(self) -> type[SparkCore]:
        """The board."""
        from rig.families.spark_core.boards.board import SparkCore

        return SparkCore

    @property
    def recovery(self) -> CoreRecovery:
        """Its rungs and its known state."""
        from rig.families.spark_core.recovery.rescue import CoreRecovery

        return CoreRecovery()

    @property
    def campaign(self) -> CoreCampaign:
        """Its control trial and its setup for scenarios."""
        from rig.families.spark_core.campaign.campaign import CoreCampaign

        return CoreCampaign()

    @property
    def place(self) -> PlaceDescription:
        """Its place."""
        from rig.families.spark_core.lab.place import CORE_PLACE

        return CORE_PLACE

    @property
    def slot(self) -> type[CoreSlot]:
        """Its board on a virtual rack."""
        from rig.families.spark_core.lab.rack_slot import CoreSlot

        return CoreSlot

    @property
    def bring_up(self) -> CoreBringUp:
        """Its bring-up."""
        from rig.families.spark_core.lab.bring_up import CoreBringUp

        return CoreBringUp()

    @property
    def suites(self) -> Suites:
        """What may be expected of it, and the fixtures of Cores in their cloud."""
        from rig.family.suites import Suites

        return Suites(_cases, "rig.families.spark_core.suites.fixtures")

    @property
    def verbs(self) -> tuple[Verb, ...]:
        """Its verbs."""
        from rig.families.spark_core.cli.verbs import VERBS

        return VERBS


def _cases() -> KnownCases:
    from rig.families.spark_core.campaign.cases import CORE_CASES

    return CORE_CASES


FAMILY: BoardFamily = SparkCoreFamily()
