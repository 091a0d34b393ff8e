"""How long things take on a place's ESP32s, and so how long to wait for them.

Numbers are of a board at full speed (from the sources of ESP-IDF and esptool, or estimates); a place whose boards
run faster says so in its tag `timing_scale`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from rig.boards.timing import MARGIN_SECONDS, number_of

#: The reset circuit's own delay, which nothing scales.
EN_SECONDS = 0.12
#: The second stage's watchdog, which an application that hangs leaves running (ESP-IDF's BOOTLOADER_WDT_TIME_MS).
WATCHDOG_SECONDS = 9.0
#: Wi-Fi join and DHCP at the longest.
JOIN_SECONDS = 6.0


@dataclass(frozen=True, slots=True)
class Esp32Timing:
    """The timing profile of one place; all properties are in seconds."""

    scale: float = 1.0
    relay_seconds: float = 0.0

    @classmethod
    def from_tags(cls, tags: Mapping[str, str]) -> Esp32Timing:
        """Read the profile from a place's tags; a scale of 0 leaves timers as they are. Raises Misdescribed."""
        scale = number_of(tags, "timing_scale", "1") or 1.0
        return cls(scale, number_of(tags, "relay_ms", "0") / 1000)

    @property
    def silence(self) -> float:
        """How long a console must be silent to count as that of a board without power."""
        return 0.15

    @property
    def off(self) -> float:
        """Until a board whose supply was cut is silent."""
        return self.relay_seconds + MARGIN_SECONDS

    @property
    def reset_pulse(self) -> float:
        """How long EN is pulled low."""
        return 0.05

    @property
    def banner(self) -> float:
        """From power-on until the ROM has said which way it boots."""
        return EN_SECONDS + 0.5 * self.scale + MARGIN_SECONDS

    @property
    def start(self) -> float:
        """From power-on until an application says who it is, the hashing of its image included."""
        return EN_SECONDS + 2.0 * self.scale + MARGIN_SECONDS

    @property
    def settles(self) -> float:
        """For how long an application in the network must go on before it counts as running."""
        return 2.0 * self.scale

    @property
    def undisturbed(self) -> float:
        """For how long any other must: longer than the second stage's watchdog, which ends one that hangs."""
        return (WATCHDOG_SECONDS + 0.5) * self.scale + 0.5

    @property
    def between_attempts(self) -> float:
        """Longest silence between two handshakes of one look for updates: a chip computes, and looks up a name."""
        return 1.0 + 4.0 * self.scale

    @property
    def joins(self) -> float:
        """From the application's start until it is in the network."""
        return JOIN_SECONDS * self.scale + MARGIN_SECONDS

    @property
    def self_healing(self) -> float:
        """The watchdog, a rollback and a start."""
        return (WATCHDOG_SECONDS + 4.0) * self.scale + self.start

    @property
    def update(self) -> float:
        """An update over the network, from the check to the new image's first word."""
        return 60.0 * self.scale + self.joins + self.start
