"""The three generations of a Core's bootloader by their letter (reference/spark-core.md §0)."""

from __future__ import annotations

from collections.abc import Callable

from rig.twin.spark_core import bootloader_a, bootloader_b, bootloader_c
from rig.twin.spark_core.steps import Board
from rig.twin.steps import Program

BOOTLOADERS: dict[str, Callable[[Board], Program]] = {
    "A": bootloader_a.bootloader,
    "B": bootloader_b.bootloader,
    "C": bootloader_c.bootloader,
}
