"""What is documented of an ESP32 that loses its supply: the reference's table §4.2, by path and phase.

Nothing is written there of cuts over the serial port: a board in its loader is written anew.
"""

from __future__ import annotations

from collections.abc import Mapping

from rig.sweep.discoveries import Documented

#: Rows 1 to 4; 5 to 7, of which a torn record may be taken for a good one; 9; 11.
_UPDATE = {"forget": "old", "download": "old", "choose": "old new", "first-boot": "old", "confirm": "old"}
#: The same where the application that runs is the factory's: row 14.
_FROM_FACTORY = {phase: ends.replace("old", "factory") for phase, ends in _UPDATE.items()}
_TABLE: Mapping[str, Mapping[str, str]] = {
    "https": _UPDATE,
    "second-update": _UPDATE,
    "update-on-probation": _UPDATE,
    "mark-valid": {"confirm": "old"},
    "give-up": {"give-up": "old"},
    "factory-update": _FROM_FACTORY,
    "factory-fallback": _FROM_FACTORY,
    "factory-chosen": {"records": "new factory"},
}


def documented(path: str, _choices: Mapping[str, str]) -> Documented:
    """By phase; empty where nothing is."""
    return {phase: frozenset(ends.split()) for phase, ends in _TABLE.get(path, {}).items()}
