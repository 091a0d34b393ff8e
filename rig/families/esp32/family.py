"""ESP32s as the rig knows them: rig.family.contract says what each member is for."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from functools import cached_property
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rig.evidence.update_path import UpdatePath
    from rig.families.esp32.boards.board import Esp32
    from rig.families.esp32.campaign.campaign import Esp32Campaign
    from rig.families.esp32.firmware.image_rules import EspImages
    from rig.families.esp32.lab.rack_slot import Esp32Slot
    from rig.families.esp32.recovery.rescue import Esp32Recovery
    from rig.family.contract import BoardFamily
    from rig.family.place import PlaceDescription
    from rig.family.suites import Suites
    from rig.family.verb import Verb
    from rig.firmware.cases import KnownCases


class Esp32Family:
    """An ESP32 module with an application built on ESP-IDF or Arduino."""

    kind = "esp32"
    title = "ESP32"

    @cached_property
    def images(self) -> EspImages:
        """Its images, which may pin what the rig's update servers have."""
        from rig.families.esp32.firmware.image_rules import EspImages

        return EspImages(_authorities)

    @property
    def update_paths(self) -> Mapping[str, UpdatePath]:
        """Over the serial port and over HTTPS."""
        from rig.families.esp32.campaign.update_paths import ESP32_PATHS

        return ESP32_PATHS

    @property
    def board(self) -> type[Esp32]:
        """The board."""
        from rig.families.esp32.boards.board import Esp32

        return Esp32

    @property
    def recovery(self) -> Esp32Recovery:
        """Its rungs and its known state."""
        from rig.families.esp32.recovery.rescue import Esp32Recovery

        return Esp32Recovery()

    @property
    def campaign(self) -> Esp32Campaign:
        """Its control trial and its setup for scenarios."""
        from rig.families.esp32.campaign.campaign import Esp32Campaign

        return Esp32Campaign()

    @property
    def place(self) -> PlaceDescription:
        """Its place."""
        from rig.families.esp32.lab.place import ESP32_PLACE

        return ESP32_PLACE

    @property
    def slot(self) -> type[Esp32Slot]:
        """Its board on a virtual rack."""
        from rig.families.esp32.lab.rack_slot import Esp32Slot

        return Esp32Slot

    @property
    def bring_up(self) -> None:
        """Its boards need none: reflashing writes all of them."""

    @property
    def suites(self) -> Suites:
        """What may be expected of it; no fixtures but the common ones."""
        from rig.family.suites import Suites

        return Suites(_cases)

    @property
    def verbs(self) -> tuple[Verb, ...]:
        """Its verbs."""
        from rig.families.esp32.cli.verbs import VERBS

        return VERBS


def _cases() -> KnownCases:
    from rig.families.esp32.campaign.cases import ESP32_CASES

    return ESP32_CASES


def _authorities() -> Collection[str]:
    from rig.trust.web_pki import AUTHORITIES

    return AUTHORITIES


FAMILY: BoardFamily = Esp32Family()
