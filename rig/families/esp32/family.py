"""ESP32s as the rig knows them: rig.family.contract says what each member is for."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from functools import cached_property
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rig.evidence.update_path import UpdatePath
    from rig.families.esp32.boards.board import Esp32
    from rig.families.esp32.campaign.swap_stage import BoardStage
    from rig.families.esp32.campaign.trial import SerialFlash
    from rig.families.esp32.firmware.image_rules import EspImages
    from rig.families.esp32.lab.slot import Esp32Slot
    from rig.families.esp32.recovery.rescue import Esp32Rescue
    from rig.family.example import PlaceExample
    from rig.family.tags import TagRule
    from rig.family.verb import Verb
    from rig.firmware.cases import KnownCases
    from rig.firmware.manifest import Image


class Esp32Family:
    """An ESP32 module with an application built on ESP-IDF or Arduino."""

    kind = "esp32"
    title = "ESP32"

    @property
    def board(self) -> type[Esp32]:
        """The board."""
        from rig.families.esp32.boards.board import Esp32

        return Esp32

    @cached_property
    def images(self) -> EspImages:
        """Its images, which may pin what the rig's update servers have."""
        from rig.families.esp32.firmware.image_rules import EspImages

        return EspImages(_authorities)

    def control_trial(self, roles: Mapping[str, Image]) -> SerialFlash:
        """A write over the serial port of the same image."""
        from rig.families.esp32.campaign.trial import control_trial

        return control_trial(roles)

    def rescue(self, board: Esp32, roles: Mapping[str, Image], _golden: Image) -> Esp32Rescue:
        """Reflashing writes the golden set that the roles make."""
        from rig.families.esp32.boards.golden import golden_set
        from rig.families.esp32.recovery.rescue import Esp32Rescue

        return Esp32Rescue(board, golden_set(roles))

    def make_known(self, board: Esp32, roles: Mapping[str, Image]) -> None:
        """The golden set, started once, in download mode."""
        from rig.families.esp32.recovery.rescue import make_esp32_known

        make_esp32_known(board, roles)

    def stage(self, board: Esp32, roles: Mapping[str, Image], cast: Callable[[str], Mapping[str, Image]]) -> BoardStage:
        """Its servers show it identities of its own; firmware by cable is another cast's."""
        from rig.campaign.swap import CannotPlay
        from rig.families.esp32.campaign.swap_stage import CABLE, BoardStage

        by_cable = cast(CABLE).get("old")
        if by_cable is None:
            raise CannotPlay(f"names no cast {CABLE}, whose firmware comes by cable")
        return BoardStage(board, roles, by_cable)

    @property
    def cases(self) -> KnownCases:
        """What something may be expected of."""
        from rig.families.esp32.campaign.cases import ESP32_CASES

        return ESP32_CASES

    @property
    def update_paths(self) -> Mapping[str, UpdatePath]:
        """What its cut maps are drawn on."""
        from rig.families.esp32.campaign.update_paths import ESP32_PATHS

        return ESP32_PATHS

    @property
    def slot(self) -> type[Esp32Slot]:
        """Its board on a virtual rack."""
        from rig.families.esp32.lab.slot import Esp32Slot

        return Esp32Slot

    @property
    def fixtures(self) -> None:
        """None but the common ones."""

    @property
    def tags(self) -> tuple[TagRule, ...]:
        """What its places may say."""
        from rig.families.esp32.lab.tags import TAGS

        return TAGS

    @property
    def example(self) -> PlaceExample:
        """Its example place."""
        from rig.families.esp32.lab.example import ESP32_EXAMPLE

        return ESP32_EXAMPLE

    @property
    def verbs(self) -> tuple[Verb, ...]:
        """Its verbs."""
        from rig.families.esp32.cli.verbs import VERBS

        return VERBS

    @property
    def bring_up(self) -> None:
        """Its boards need none: reflashing writes all of them."""


def _authorities() -> Collection[str]:
    from rig.trust.web_pki import AUTHORITIES

    return AUTHORITIES


FAMILY = Esp32Family()
