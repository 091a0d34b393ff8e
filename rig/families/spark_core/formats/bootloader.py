"""What tells a Core's bootloaders apart where their code is none that is known: the maker that DFU names, a number.

Read from device-os: the maker changed with v0.4.5, bootloader number 4; each of generation C keeps its number in the
first half-word of the flags page.
"""

from __future__ import annotations

from rig.families.spark_core.formats.flash import GENERATIONS

SPARK, PARTICLE = "Spark Devices", "Particle"
_EARLY_C = ("c2", "c3")
#: The number that `c` alone stands for.
_USUAL_C = 11


def maker_of(generation: str) -> str:
    """Whom the DFU of a generation names as its maker."""
    return PARTICLE if generation.startswith("c") and generation not in _EARLY_C else SPARK


def generation_c(number: int) -> str | None:
    """The name of the generation C with this number; None for a number that no release has."""
    name = "c" if number == _USUAL_C else f"c{number}"
    return name if name in GENERATIONS else None


def is_same(one: str, other: str) -> bool:
    """Whether two names are of one generation: `c` and `c11` are."""
    return one == other or {one, other} == {"c", f"c{_USUAL_C}"}
