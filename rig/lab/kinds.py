"""The kinds of boards a lab has: what drives one, and what a control cut of one is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from rig.boards.esp32 import Esp32
from rig.boards.spark_core import SparkCore
from rig.campaign import esp32_trial, trial
from rig.errors import Misuse
from rig.firmware.manifest import Image

#: Any board that a place may have.
AnyBoard = SparkCore | Esp32


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind; `control_trial` makes, of the roles of its images, an update to what the board has already."""

    board: type[AnyBoard]
    control_trial: Callable[[Mapping[str, Image]], Any]


KINDS = {
    "spark-core": Kind(SparkCore, trial.control_trial),
    "esp32": Kind(Esp32, esp32_trial.control_trial),
}


def kind_called(name: str) -> Kind:
    """Raises Misuse for a kind that nobody knows."""
    if name not in KINDS:
        raise Misuse(f"a board of kind {name!r} is unknown", hint=f"one of {', '.join(KINDS)}")
    return KINDS[name]
