"""A pinboard of a virtual rack, and its place in a lab."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from pinboard import KIND
from rig.family.place import (
    EVERY_PLACE,
    DriverLine,
    Offer,
    PlaceDescription,
    Values,
    address_setting,
    relay_drivers,
    relay_offers,
    service_offer,
)
from rig.family.rack_slot import ReadyLine, Site, Slot, relay_resources, service
from rig.family.tags import WIRED, Choice

BUTTONS = {"button": "Its button."}


@dataclass(frozen=True, slots=True)
class PinboardSlot(Slot):
    """One pinboard of a rack: only its pace can be chosen."""

    kind: ClassVar[str] = KIND
    prefix: ClassVar[str] = KIND
    lines: ClassVar[tuple[str, ...]] = ("power", "button")
    ports: ClassVar[tuple[str, ...]] = ("wire",)
    program: ClassVar[str] = "pinboard.process"

    time_scale: float = 1.0

    @classmethod
    def of(cls, time_scale: float, tags: Mapping[str, str]) -> PinboardSlot:
        """A pinboard; there is no choice among tags."""
        return cls(time_scale)

    def command(self, number: int, state: Path, site: Site) -> list[str]:
        """How its twin is started, which ships itself."""
        return [
            *("rig", "twin", KIND, "--state", str(state), "--manifest", str(site.manifest.path)),
            *("--time-scale", str(self.time_scale), "--seed", str(site.seed + number)),
        ]

    def exports(self, ready_line: ReadyLine, coil: int, site: Site) -> dict[str, Any]:
        """Its place's resources for the exporter."""
        return {**relay_resources(self.lines, coil, site), "wire": service(ready_line["wire"]["port"], "wire")}


def _offers(values: Values, channel: int) -> list[Offer]:
    return [*relay_offers(values, channel, BUTTONS), service_offer("wire", "Its port.", values["wire"])]


def _tags(values: Values) -> dict[str, str]:
    own = {"board": KIND, "button": "wired", "feeds": "all", "relay_ms": "10"}
    return {**own, "timing": "real", "tier": values["tier"], "health": "ok"}


PINBOARD_PLACE = PlaceDescription(
    kind=KIND,
    place="pinboard-01",
    settings={**EVERY_PLACE, "wire": address_setting("192.0.2.30:4001", "the TCP port of a pinboard")},
    offers=_offers,
    tags=_tags,
    drivers=(
        *relay_drivers({"button": "Its button"}),
        DriverLine("PinboardDriver", "wire", {"port": "wire"}, "Its port.", "pinboard.drivers"),
    ),
    rules=(Choice("button", WIRED),),
)
