"""Every path of an ESP32 that is swept: flash that it finds, what works on it, and which choices make a difference."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from rig.families.esp32.sweep import flash_contents as contents
from rig.families.esp32.sweep import work
from rig.families.esp32.sweep.built import Built
from rig.families.esp32.sweep.cast import Cast, as_named, unconfirmed, with_factory
from rig.families.esp32.sweep.phases import Phases, by_place, turns
from rig.families.esp32.twin.memory import Esp32Memory

UPDATE = ("choose", "first-boot", "confirm")
_ANOTHER = frozenset({"table", "previous"})
_FACTORY = frozenset({"other_table", "previous"})


@dataclass(frozen=True, slots=True)
class EspPath:
    """One path. `choices` are those of Built that matter, `built` is what is fixed for it."""

    title: str
    before: Callable[[Built], Esp32Memory]
    work: Callable[[Built, Esp32Memory], None]
    phases: Phases
    choices: tuple[str, ...] = ()
    built: Mapping[str, str] = field(default_factory=dict)
    #: Parts of images that it needs beside those that every board has, and who plays them.
    roles: frozenset[str] = frozenset({"table"})
    cast: Cast = as_named


ESP32_SWEEPS: dict[str, EspPath] = {
    "https": EspPath(
        "an update over HTTPS, until the new application is confirmed",
        contents.shipped,
        work.over_https("old"),
        turns(*UPDATE),
        choices=("client", "rollback", "idf"),
    ),
    "second-update": EspPath(
        "an update over HTTPS after one that was rolled back",
        contents.rolled_back,
        work.over_https("old"),
        turns(*UPDATE),
        choices=("client", "idf"),
        roles=_ANOTHER,
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
    "update-on-probation": EspPath(
        "an update that an Arduino client takes before its application has confirmed itself",
        contents.previous_is_chosen,
        work.over_https("previous"),
        turns("choose", "give-up", "first-boot", "confirm", begin="probation"),
        built={"client": "arduino"},
        roles=_ANOTHER,
        cast=unconfirmed,
    ),
    "factory-update": EspPath(
        "the first update over HTTPS of a factory application, until the new one is confirmed",
        contents.nothing_recorded,
        work.over_https("factory"),
        turns(*UPDATE),
        choices=("client", "rollback", "idf"),
        roles=_FACTORY,
        cast=with_factory,
    ),
    "factory-fallback": EspPath(
        "an update over HTTPS of a factory application that runs because both slots are damaged",
        contents.both_slots_damaged,
        work.over_https("factory"),
        turns(*UPDATE),
        choices=("client", "rollback", "idf"),
        roles=_FACTORY,
        cast=with_factory,
    ),
    "factory-chosen": EspPath(
        "the application gives way to the factory's: both records are erased",
        contents.twice_updated,
        work.choose_factory,
        turns("records"),
        roles=_FACTORY,
        cast=with_factory,
    ),
    "serial": EspPath(
        "a new application over the serial port, through esptool's stub",
        contents.with_other_slot,
        work.over_serial(work.new_application, stub=True),
        by_place,
        choices=("other",),
        roles=_ANOTHER,
    ),
    "serial-rom": EspPath(
        "the same without the stub: the ROM erases all of it first",
        contents.with_other_slot,
        work.over_serial(work.new_application, stub=False),
        by_place,
        choices=("other",),
        roles=_ANOTHER,
    ),
    "serial-all": EspPath(
        "bootloader, table, records and application over the serial port, as a rescue writes them",
        contents.with_other_slot,
        work.over_serial(work.everything, stub=True),
        by_place,
        roles=_ANOTHER,
    ),
}
