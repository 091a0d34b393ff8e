"""What is documented of a Core that loses its supply: the reference's table §3.4, with Appendices C and E.

By path, generation of bootloader and phase. A page of flags whose new value is whole runs what it names.
"""

from __future__ import annotations

from collections.abc import Mapping

from rig.families.spark_core.formats.flash import GENERATIONS
from rig.sweep.discoveries import Documented

_COPY_A = {"backup": "new", "erase": "old", "program": "old", "flags": "dfu new old"}
_COPY_C = {**_COPY_A, "flags": "new old"}
_COPY = {
    # The copy is made again: it is not marked.
    "a2013": {"backup": "new", "erase": "new", "program": "new", "flags": "dfu new"},
    "a": _COPY_A,
    "b": _COPY_A,
    "c": _COPY_C,
}
_DOWNLOAD = {"download": "old"}
_CLOUD = {
    **{name: {**_DOWNLOAD, **_COPY[name], "flags": "dfu new old"} for name in ("a2013", "a", "b")},
    "c": {**_DOWNLOAD, **_COPY_C},
}
#: Before the first word is programmed the application is blank.
_DFU_A = {"erase": "dfu", "program": "dfu hang", "flags": "dfu new"}
_DFU = {
    "a2013": _DFU_A,
    "a": _DFU_A,
    "b": {"erase": "dfu", "program": "dfu previous", "flags": "dfu new"},
    "c": {"erase": "factory", "program": "factory previous", "flags": "new old"},
}
_OUTSIDE = {name: {"external": "old", "factory-slot": "old", "flags": "old"} for name in ("a2013", "a", "b", "c")}
_TABLE: Mapping[str, Mapping[str, Mapping[str, str]]] = {
    "cloud": _CLOUD,
    "cloud-fast": _CLOUD,
    "ota-copy": _COPY,
    "dfu": _DFU,
    "dfu-interleaved": _DFU,
    "server-key": _OUTSIDE,
    "factory-image": _OUTSIDE,
    "factory-button": {
        "a": {"backup": "old", "erase": "dfu", "program": "dfu hang", "flags": "dfu factory"},
        "b": {"erase": "dfu", "program": "dfu previous", "flags": "dfu factory"},
        "c": {"erase": "factory", "program": "factory previous", "flags": "factory"},
    },
    "factory-reset": {
        "b": {"erase": "factory", "program": "factory", "flags": "dfu factory"},
        "c": {"erase": "factory", "program": "factory", "flags": "factory old"},
    },
    "rollback": {
        "b": {"erase": "dfu", "program": "dfu previous", "flags": "dfu previous"},
        "c": {"erase": "factory", "program": "factory previous", "flags": "previous"},
    },
}


def documented(path: str, generation: str) -> Documented:
    """By phase; empty where nothing is. Every release of generation C is documented as one."""
    known = _TABLE.get(path, {})
    letter = generation if generation in ("a2013", "a", "b") else "c"
    assert generation in GENERATIONS, "it was chosen"
    return {phase: frozenset(ends.split()) for phase, ends in known.get(letter, {}).items()}
