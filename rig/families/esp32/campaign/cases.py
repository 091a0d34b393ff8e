"""The cases of an ESP32's trials and suites that something may be expected of, by path."""

from __future__ import annotations

from itertools import product

from rig.firmware.cases import KnownCases

#: What is left of the record that chooses a slot, row by row.
_TORN = (
    *("6 nothing but the sequence number", "6 half of the sequence number", "6 half of the crc"),
    *("6 everything but the crc", "7 no state", "7 the state's first byte", "7 all but the state's last bit"),
    *("7 a state that there is not", "7 valid", "8 new", "10 on probation", "invalid", "given up"),
)
_STARTS = product(_TORN, ("first start", "next start"), ("", " without rollback"))
ESP32_CASES = KnownCases(
    {
        "serial": ("erase", "program", "outside"),
        "https": (
            *("forget", "download", "end", "choose", "chosen", "first-boot", "probation", "confirm", "confirmed"),
            *("abort", "aborted", "outside"),
            *("an image that crashes at once", "an image that never confirms", "an image that hangs after a second"),
            *("a server that stalls", "an unsigned copy where its signature still lies"),
            *("a stale record, end", "a stale record, the start after that", "a stale record, an image given up"),
        ),
        "otadata": (
            *(f"{torn}, {start}{build}" for torn, start, build in _STARTS),
            *("9, 11 and 13", "14 both records lost", "14 both records and the first slot lost"),
            *(
                "15 before the erases",
                "15 between them, the active record left",
                "15 between them, a stale record left",
            ),
            *("15 between them, a record left that was given up", "15 after them"),
        ),
    }
)
