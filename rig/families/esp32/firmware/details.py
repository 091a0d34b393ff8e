"""What a manifest says of an ESP32's image: how its application behaves, or how its second stage was built."""

from __future__ import annotations

from dataclasses import replace

from rig.families.esp32.firmware.behaviour import EspBehaviour
from rig.families.esp32.firmware.boots import EspBoots
from rig.firmware.image_rules import Details
from rig.firmware.manifest import Image

#: The variant whose firmware comes by cable: it has a root of its own on a second host to turn to.
CABLE = "fleet-1.0.7"


class EspDetails(Details):
    """The tables `esp32` and `boots` of an entry."""

    esp32: EspBehaviour | None = None
    boots: EspBoots | None = None


def behaviour_of(image: Image) -> EspBehaviour | None:
    """What an image does as an application; None where nobody said."""
    return image.details.esp32 if isinstance(image.details, EspDetails) else None


def boots_of(image: Image) -> EspBoots | None:
    """How an image was built as a second stage; None where nobody said that it is one."""
    return image.details.boots if isinstance(image.details, EspDetails) else None


def with_behaviour(image: Image, behaviour: EspBehaviour) -> Image:
    """The same image, which does something else."""
    return replace(image, details=EspDetails(esp32=behaviour, boots=boots_of(image)))
