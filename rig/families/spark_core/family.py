"""Spark Cores as the rig knows them: rig.family.contract says what each member is for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rig.evidence.update_path import UpdatePath
    from rig.families.spark_core.boards.board import SparkCore
    from rig.families.spark_core.campaign.dfu_trial import DfuTrial
    from rig.families.spark_core.campaign.swap_stage import CoreStage
    from rig.families.spark_core.firmware.image_rules import CoreImages
    from rig.families.spark_core.lab.bring_up import CoreBringUp
    from rig.families.spark_core.lab.slot import CoreSlot
    from rig.families.spark_core.recovery.rescue import CoreRescue
    from rig.family.example import PlaceExample
    from rig.family.tags import TagRule
    from rig.family.verb import Verb
    from rig.firmware.cases import KnownCases
    from rig.firmware.manifest import Image


class SparkCoreFamily:
    """An STM32F103 with a CC3000 radio, of 2013 and 2014."""

    kind = "spark-core"
    title = "Spark Core"

    @property
    def board(self) -> type[SparkCore]:
        """The board."""
        from rig.families.spark_core.boards.board import SparkCore

        return SparkCore

    @property
    def images(self) -> CoreImages:
        """Its images."""
        from rig.families.spark_core.firmware.image_rules import IMAGES

        return IMAGES

    def control_trial(self, roles: Mapping[str, Image]) -> DfuTrial:
        """A DFU update to the same image."""
        from rig.families.spark_core.campaign.dfu_trial import control_trial

        return control_trial(roles)

    def rescue(self, board: SparkCore, _roles: Mapping[str, Image], golden: Image) -> CoreRescue:
        """Reflashing writes `golden` over DFU."""
        from rig.families.spark_core.recovery.rescue import CoreRescue

        return CoreRescue(board, golden)

    def make_known(self, board: SparkCore, roles: Mapping[str, Image]) -> None:
        """Golden application, previous and factory images in their slots, DFU."""
        from rig.families.spark_core.recovery.rescue import make_core_known

        make_core_known(board, roles)

    def stage(
        self, board: SparkCore, roles: Mapping[str, Image], _cast: Callable[[str], Mapping[str, Image]]
    ) -> CoreStage:
        """Its cloud takes other keys."""
        from rig.families.spark_core.campaign.swap_stage import CoreStage

        return CoreStage(board, roles)

    @property
    def cases(self) -> KnownCases:
        """What something may be expected of."""
        from rig.families.spark_core.campaign.cases import CORE_CASES

        return CORE_CASES

    @property
    def update_paths(self) -> Mapping[str, UpdatePath]:
        """What its cut maps are drawn on."""
        from rig.families.spark_core.campaign.update_paths import CORE_PATHS

        return CORE_PATHS

    @property
    def slot(self) -> type[CoreSlot]:
        """Its board on a virtual rack."""
        from rig.families.spark_core.lab.slot import CoreSlot

        return CoreSlot

    @property
    def fixtures(self) -> str:
        """Of Cores in their cloud."""
        return "rig.families.spark_core.suites.fixtures"

    @property
    def tags(self) -> tuple[TagRule, ...]:
        """What its places may say."""
        from rig.families.spark_core.lab.tags import TAGS

        return TAGS

    @property
    def example(self) -> PlaceExample:
        """Its example place."""
        from rig.families.spark_core.lab.example import CORE_EXAMPLE

        return CORE_EXAMPLE

    @property
    def verbs(self) -> tuple[Verb, ...]:
        """Its verbs."""
        from rig.families.spark_core.cli.verbs import VERBS

        return VERBS

    @property
    def bring_up(self) -> CoreBringUp:
        """Its bring-up."""
        from rig.families.spark_core.lab.bring_up import CoreBringUp

        return CoreBringUp()


FAMILY = SparkCoreFamily()
