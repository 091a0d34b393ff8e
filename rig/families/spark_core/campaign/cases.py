"""The cases of a Spark Core's trials and suites that something may be expected of, by path."""

from __future__ import annotations

from rig.families.spark_core.formats.flash import GENERATIONS
from rig.firmware.cases import KnownCases

_WRITE = ("erase", "program", "outside")
_COPY = ("backup", "mark", "erase", "program", "commit", "commit-tail", "outside")
_CRASHES, _HANGS = "an image that crashes at once", "an image that hangs after a second"
CORE_CASES = KnownCases(
    {
        "dfu": (
            *(*_WRITE, "commit", "commit-tail"),
            *(_CRASHES, _HANGS, "the private key is read", "a bootloader without a lock is overwritten"),
        ),
        "dfu-external": (*_WRITE, "the key sector, erase", "the key sector, program", "a bare key is written"),
        "ota-copy": _COPY,
        "factory-reset": (
            *_COPY,
            *("asked for by firmware", "asked for by firmware, erase", "asked for by firmware, program"),
            *("the factory image is corrupted", "text in both slots"),
        ),
        "cloud": (
            *("hello", "hello-tail", "begin", "begin-tail", "download-erase", "download", "done", *_COPY),
            *("a chunk comes twice", "UpdateBegin comes twice", "UpdateDone comes early"),
            *(_CRASHES, _HANGS, "a text as firmware"),
        ),
        "deep-update": (
            *("table", "calibration", "address", "driver", "firmware", "outside"),
            *("the radio, table", "the radio, driver"),
        ),
    },
    GENERATIONS,
    more=r"c[0-9]+",
)
