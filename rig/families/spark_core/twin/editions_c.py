"""The bootloaders of generation C by their number, and where they differ (reference, Appendix E).

Read from particle-iot/device-os at the tags named: bootloader/src/main.c, bootloader/src/core (DFU),
platform/MCU/STM32F1xx/SPARK_Firmware_Driver/src/hw_config.c; the number is in bootloader/import.mk, from v0.7.0 on in
modules/shared/system_module_version.mk. The numbers 9 and 10 were never in a release; 12 is in a comment only.
"""

from __future__ import annotations

from dataclasses import dataclass

from rig.families.spark_core.twin.mode_button_c import Hold, HoldSince110, HoldUntil044, HoldUntil060


@dataclass(frozen=True, slots=True)
class Edition:
    """What one release's bootloader does otherwise than another's."""

    #: As it writes it into the flags page.
    version: int
    releases: str
    hold: type[Hold] = Hold
    #: Byte 13 of the flags page is kept; up to v0.4.4 every save writes it as 0.
    keeps_features: bool = True
    #: 0x5AFE in DR1 asks for safe mode, since v0.4.6.
    takes_safe_mode_request: bool = True
    #: A watchdog reset clears what was pending; a926a2c63 (v0.6.1) took that out.
    watchdog_clears_modes: bool = False
    #: The stack pointer is loaded right before the jump, with the watchdog running, since v1.1.0.
    jumps_at_once: bool = False
    #: DFU says that it goes on, and leaves half a second later, and its maker is Particle: since v0.4.5.
    leaves_later: bool = True


EDITIONS = {
    "2": Edition(2, "v0.4.0-v0.4.1", HoldUntil044, False, False, True, leaves_later=False),
    "3": Edition(3, "v0.4.2-v0.4.4", HoldUntil044, False, False, True, leaves_later=False),
    "4": Edition(4, "v0.4.5", HoldUntil060, takes_safe_mode_request=False, watchdog_clears_modes=True),
    "5": Edition(5, "v0.4.6", HoldUntil060, watchdog_clears_modes=True),
    "6": Edition(6, "v0.4.7-v0.4.8", HoldUntil060, watchdog_clears_modes=True),
    "7": Edition(7, "v0.4.9-v0.5.5", HoldUntil060, watchdog_clears_modes=True),
    "8": Edition(8, "v0.6.0", HoldUntil060, watchdog_clears_modes=True),
    "11": Edition(11, "v0.6.1-v0.6.4"),
    "101": Edition(101, "v0.7.0"),
    "201": Edition(201, "v1.0.0-v1.0.1"),
    "301": Edition(301, "v1.1.0-v1.1.1", HoldSince110, jumps_at_once=True),
    "311": Edition(311, "v1.2.1", HoldSince110, jumps_at_once=True),
    "401": Edition(401, "v1.3.1", HoldSince110, jumps_at_once=True),
    "500": Edition(500, "v1.4.0-v1.4.1", HoldSince110, jumps_at_once=True),
    "501": Edition(501, "v1.4.2-v1.4.4", HoldSince110, jumps_at_once=True),
}
USUAL = "11"
