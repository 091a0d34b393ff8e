"""The bootloaders of a Core by the name of their generation.

`a` is the later of two: which of them more boards hold is not known. The tag spark_0 says that the first boards,
of November 2013, left the factory with `a2013`. `c` is version 11, of v0.6.1 to v0.6.4; `c2` to `c501` are the others.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from rig.families.spark_core.twin import bootloader_a, bootloader_b, bootloader_c
from rig.families.spark_core.twin.editions_c import EDITIONS, USUAL
from rig.families.spark_core.twin.steps import Board
from rig.twin.steps import Program

BOOTLOADERS: dict[str, Callable[[Board], Program]] = {
    "a2013": bootloader_a.bootloader_2013,
    "a": bootloader_a.bootloader_2014,
    "b": bootloader_b.bootloader,
    "c": partial(bootloader_c.bootloader, edition=EDITIONS[USUAL]),
    **{f"c{name}": partial(bootloader_c.bootloader, edition=edition) for name, edition in EDITIONS.items()},
}
