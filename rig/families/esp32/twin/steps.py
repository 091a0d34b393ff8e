"""What an ESP32's programs (ROM, bootloader, application) may touch on their board, and a step that only they know."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from rig.families.esp32.formats.boot_config import BootConfig
from rig.families.esp32.twin.chip import Chip
from rig.families.esp32.twin.memory import Esp32Memory
from rig.families.esp32.twin.questions import Questions
from rig.families.esp32.twin.uart import Uart
from rig.twin.steps import Step
from rig.twin.tcp import TcpClient

if TYPE_CHECKING:
    pass

#: Why a chip started, by the ROM's number (ESP-IDF's esp32/rom/rtc.h).
POWERON, SW_RESET, TG0_WDT, RTCWDT_SYS, SW_CPU_RESET, RTCWDT_RTC = 0x1, 0x3, 0x7, 0x9, 0xC, 0x10

#: How the second stage that an area of flash begins with was built; None for one that nobody has listed.
Bootloaders = Callable[[bytes, Chip], BootConfig | None]


@dataclass(frozen=True, slots=True)
class Reboot(Step):
    """The chip restarts, for a reason that the ROM tells. `Reset` is what esp_restart does: 0xC."""

    cause: int


class Board(Protocol):
    """The board a program runs on."""

    memory: Esp32Memory
    chip: Chip
    #: UART0: the console, and what the ROM loader listens to.
    uart: Uart
    #: The one TCP connection that the application has at a time.
    tcp: TcpClient
    #: Seconds, the model's.
    time: float
    reset_cause: int
    #: Whether GPIO0 was low when the chip left reset: it waits for a download.
    downloads: bool
    #: Label of the partition whose application runs.
    running: str | None
    #: What it asks of flash about applications.
    questions: Questions
    bootloaders: Bootloaders
    #: Finds the PEM of a certificate that firmware pins by name.
    trust: Callable[[str], str | None]
    #: Asks the network for the time; what it returns tells it, in seconds since 1970, or None while nobody has.
    network_time: Callable[[], Callable[[], float | None]]

    def event(self, name: str) -> None:
        """Note something worth seeing."""

    def say(self, line: str) -> None:
        """Print a line on the console."""
