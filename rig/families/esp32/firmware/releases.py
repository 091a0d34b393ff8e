"""How a manifest names a release of ESP-IDF or of the Arduino core: the one rule for every table that has one."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator

from rig.errors import Misuse
from rig.families.esp32.formats.idf import ArduinoCore, Idf, Release

#: What is made of a build that says nothing of its ESP-IDF.
STANDARD_IDF = "5.5"


def _release(kind: type[Release], text: str) -> str:
    """The text, which names a release, without the `v` of a tag. Raises ValueError."""
    try:
        kind.parse(text)
    except Misuse as error:
        raise ValueError(f"{error.message}: {error.hint}") from error
    return text.removeprefix("v")


#: Releases of ESP-IDF and of the Arduino core, such as 5.5.4, 6.1-beta1 and 2.0.17.
IdfName = Annotated[str, AfterValidator(lambda text: _release(Idf, text))]
CoreName = Annotated[str, AfterValidator(lambda text: _release(ArduinoCore, text))]
