"""What a manifest says of a Core's image beside what it says of any."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from rig.firmware.image_rules import Details
from rig.firmware.manifest import Image


class CoreDetails(Details):
    """What its application does in its cloud, and to its radio."""

    #: What it offers its cloud: Tinker's four functions, or what suites probe.
    offers: Literal["tinker", "probe"] = "tinker"
    #: The service pack it brings into the radio.
    patches_radio: str | None = Field(default=None, pattern=r"^1\.\d\d$")


def details_of(image: Image) -> CoreDetails:
    """What is known of an image; where nobody said anything, what is usual."""
    return image.details if isinstance(image.details, CoreDetails) else CoreDetails()
