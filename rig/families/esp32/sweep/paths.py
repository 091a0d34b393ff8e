"""Every path of an ESP32 that is swept: flash that it finds, what works on it, and which choices make a difference."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from rig.families.esp32.sweep import flash_contents as contents
from rig.families.esp32.sweep import work
from rig.families.esp32.sweep.built import Built
from rig.families.esp32.sweep.phases import Phases, by_place, turns
from rig.families.esp32.twin.memory import Esp32Memory

UPDATE = ("choose", "first-boot", "confirm")


@dataclass(frozen=True, slots=True)
class EspPath:
    """One path. `choices` are those of Built that matter; `factory` asks for a table with a factory application."""

    title: str
    before: Callable[[Built], Esp32Memory]
    work: Callable[[Built, Esp32Memory], None]
    phases: Phases
    choices: tuple[str, ...] = ()
    #: Parts of images that it needs beside those that every board has.
    roles: frozenset[str] = frozenset()
    factory: bool = False


ESP32_SWEEPS: dict[str, EspPath] = {
    "https": EspPath(
        "an update over HTTPS, until the new application is confirmed",
        contents.shipped,
        work.over_https,
        turns(*UPDATE),
        choices=("client", "rollback", "idf"),
    ),
    "second-update": EspPath(
        "an update over HTTPS after one that was rolled back",
        contents.rolled_back,
        work.over_https,
        turns(*UPDATE),
        choices=("client", "idf"),
        roles=frozenset({"previous"}),
    ),
    "mark-valid": EspPath(
        "the first start of an update, until it is confirmed",
        contents.new_is_chosen,
        work.cold_start,
        turns(*UPDATE[1:]),
    ),
    "give-up": EspPath(
        "the second start of an update that did not confirm itself",
        contents.new_is_on_probation,
        work.cold_start,
        turns("give-up"),
    ),
    "factory-update": EspPath(
        "the first update over HTTPS of a factory application, until the new one is confirmed",
        contents.nothing_recorded,
        work.over_https,
        turns(*UPDATE),
        choices=("client", "rollback", "idf"),
        factory=True,
    ),
    "factory-fallback": EspPath(
        "an update over HTTPS of a factory application that runs because both slots are damaged",
        contents.both_slots_damaged,
        work.over_https,
        turns(*UPDATE),
        choices=("client", "rollback", "idf"),
        factory=True,
    ),
    "factory-chosen": EspPath(
        "the application gives way to the factory's: both records are erased",
        contents.twice_updated,
        work.choose_factory,
        turns("records"),
        factory=True,
    ),
    "serial": EspPath(
        "a new application over the serial port, through esptool's stub",
        contents.with_other_slot,
        work.over_serial(work.new_application, stub=True),
        by_place,
        choices=("other",),
        roles=frozenset({"previous"}),
    ),
    "serial-rom": EspPath(
        "the same without the stub: the ROM erases all of it first",
        contents.with_other_slot,
        work.over_serial(work.new_application, stub=False),
        by_place,
        choices=("other",),
        roles=frozenset({"previous"}),
    ),
    "serial-all": EspPath(
        "bootloader, table, records and application over the serial port, as a rescue writes them",
        contents.with_other_slot,
        work.over_serial(work.everything, stub=True),
        by_place,
        roles=frozenset({"previous"}),
    ),
}
