"""What a family tells of its places: what tags may say there, and one as an example that a lab fills in.

With it is what most families' places have: addresses and texts to fill in, a relay for the supply and the buttons.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rig.errors import Misuse
from rig.family.tags import TagRule
from rig.ports import read_address

#: Values by the names of settings.
Values = Mapping[str, str]
#: Letters of an address.
_ADDRESS = re.compile(r"[\w.:\[\]-]+", re.ASCII)


@dataclass(frozen=True, slots=True)
class Setting:
    """What differs from lab to lab: `example` is what it looks like, `check` raises Misuse for what cannot be one."""

    example: str
    what: str
    check: Callable[[str, str], object]


@dataclass(frozen=True, slots=True)
class Offer:
    """A resource of a place: its name, what it is for, and how the exporter is to offer it."""

    name: str
    what: str
    fields: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class DriverLine:
    """A driver of the rig's in an environment: its class and name, the resources it works on, what it is for.

    The class is in `module`.
    """

    cls: str
    name: str
    bindings: Mapping[str, str]
    what: str
    module: str


@dataclass(frozen=True, slots=True)
class PlaceDescription:
    """One kind's place: what a lab has to fill in, what its exporter offers, what its tags say, and its environment.

    `offers` are told the first channel of the relay board that is free; `rules` are of what its tags may say beside
    those of every place.
    """

    kind: str
    place: str
    settings: Mapping[str, Setting]
    offers: Callable[[Values, int], Sequence[Offer]]
    tags: Callable[[Values], Mapping[str, str]]
    drivers: Sequence[DriverLine]
    rules: tuple[TagRule, ...] = ()


def address_setting(example: str, what: str) -> Setting:
    """An address, HOST:PORT."""

    def check(text: str, asked: str) -> None:
        if not _ADDRESS.fullmatch(text):  # labgrid reads the exporter's file as a template
            raise Misuse(f"{asked} {text!r} is not HOST:PORT", hint=f"for example {example}")
        read_address(text, asked, example)

    return Setting(example, what, check)


def text_setting(example: str, what: str, pattern: str) -> Setting:
    """A text of one form."""

    def check(text: str, asked: str) -> None:
        if not re.fullmatch(pattern, text, re.ASCII):
            raise Misuse(f"{asked} {text!r} is no {what}", hint=f"for example {example}")

    return Setting(example, what, check)


TIER = text_setting(
    *("unknown", "tier that reports tell: hardware for real boards, model or silicon for twins"),
    "hardware|silicon|model|unknown",
)
RELAY = address_setting("192.0.2.10:502", "the relay board's Modbus TCP")
SWITCH = address_setting("192.0.2.10:80", "the same relay board's HTTP, as a Shelly has it")
#: What every kind's place has to fill in.
EVERY_PLACE = {"relay": RELAY, "switch": SWITCH, "tier": TIER}


def relay_drivers(buttons: Mapping[str, str]) -> list[DriverLine]:
    """The supply and the buttons of a board, by their names and what they are called at the board."""
    return [
        DriverLine("RelayDriver", "power", {"coil": "cut"}, "Its supply.", "rig.drivers.relay"),
        *(
            DriverLine("ButtonDriver", name, {"coil": name}, f"{line}.", "rig.drivers.relay")
            for name, line in buttons.items()
        ),
    ]


def relay_offers(values: Values, first: int, buttons: Mapping[str, str]) -> list[Offer]:
    """What people switch, what cuts use, and the buttons, on channels from `first` on."""
    power = {
        "cls": "NetworkPowerPort",
        "model": "shelly_gen2",
        "host": f"http://{values['switch']}",
        "index": first,
    }
    coils = {"cut": "Cuts use the same contact, without anything in between.", **buttons}
    return [
        Offer("power", "For people: labgrid-client power on, off, cycle, get.", power),
        *(
            Offer(name, what, {"cls": "ModbusTCPCoil", "host": values["relay"], "coil": first + number})
            for number, (name, what) in enumerate(coils.items())
        ),
    ]


def service_offer(name: str, what: str, address: str) -> Offer:
    """A TCP service; labgrid wants a user for it."""
    host, port = read_address(address, name, "192.0.2.20:3240")
    return Offer(name, what, {"cls": "NetworkService", "address": host, "port": port, "username": name})
