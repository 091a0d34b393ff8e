"""What a manifest says of an ESP32's image, filled in by its file: the release of ESP-IDF that it is built on."""

from __future__ import annotations

from typing import TypeVar

from pydantic import ValidationError

from rig.families.esp32.firmware.behaviour import EspBehaviour
from rig.families.esp32.firmware.boots import EspBoots
from rig.families.esp32.firmware.details import EspDetails
from rig.families.esp32.firmware.identification import SECOND_STAGE
from rig.firmware.document import wrong_field
from rig.firmware.identification import APPLICATION, Identification

#: What of its build a manifest says: where it does, its word is taken.
SAID_ANYWAY = frozenset({"idf", "core"})
Build = TypeVar("Build", EspBehaviour, EspBoots)


def fill_in(says: EspDetails, identified: Identification, source: str) -> EspDetails:
    """With the release of ESP-IDF that its file tells, where the manifest names none. Raises Misuse."""
    if identified.what == APPLICATION:
        return says.model_copy(update={"esp32": _of_its_release(says.esp32 or EspBehaviour(), identified, source)})
    if identified.what == SECOND_STAGE:
        return says.model_copy(update={"boots": _of_its_release(says.boots or EspBoots(), identified, source)})
    return says


def _of_its_release(says: Build, identified: Identification, source: str) -> Build:
    if identified.built_on is None or says.model_fields_set & SAID_ANYWAY:
        return says
    try:
        return type(says).model_validate({**says.model_dump(exclude_unset=True), "idf": identified.built_on})
    except ValidationError as error:
        raise wrong_field(f"{source}, which is built on ESP-IDF {identified.built_on}", error) from error
