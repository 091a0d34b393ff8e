"""The verbs of the `rig` command that are for ESP32s only."""

from __future__ import annotations

from rig.families.esp32.cli import serial, twin
from rig.family.verb import Verb

VERBS = (
    Verb("esp32", twin.app, under="twin"),
    Verb("serial", serial.app),
)
