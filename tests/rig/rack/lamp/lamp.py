"""The least that a family from outside gives for a virtual rack: a board with a supply, one button and one TCP port."""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from rig.control.serving import listening, serve
from rig.control.socket_options import control_socket_of_twin
from rig.family.place import EVERY_PLACE, DriverLine, PlaceDescription, relay_drivers, relay_offers
from rig.family.slot import HOST, ReadyLine, Site, Slot, chosen_tag, common_tags, relay_resources, service
from rig.family.suites import Suites
from rig.firmware.cases import KnownCases
from rig.twin.control import ControlServer


@dataclass(frozen=True)
class LampSlot(Slot):
    """One lamp of a rack."""

    kind: ClassVar[str] = "lamp"
    prefix: ClassVar[str] = "lamp"
    lines: ClassVar[tuple[str, ...]] = ("power", "switch")
    ports: ClassVar[tuple[str, ...]] = ("light",)

    time_scale: float = 1.0
    colour: str = "white"

    @classmethod
    def of(cls, time_scale: float, tags: Mapping[str, str]) -> LampSlot:
        return cls(time_scale, chosen_tag(cls.kind, tags, "colour", ("white", "red")))

    def command(self, number: int, state: Path, site: Site) -> list[str]:
        state.mkdir(exist_ok=True)
        return ["lamp", "--state", str(state)]

    def exports(self, told: ReadyLine, coil: int, site: Site) -> dict[str, Any]:
        return {**relay_resources(self.lines, coil, site), "light": service(told["light"]["port"], "light")}

    @property
    def abilities(self) -> dict[str, str]:
        return {**common_tags(self), "colour": self.colour}


class LampFamily:
    """Lamps."""

    kind, title, slot, verbs, suites = "lamp", "lamp", LampSlot, (), Suites(KnownCases({}))
    place = PlaceDescription(
        kind="lamp",
        place="lamp-01",
        settings=EVERY_PLACE,
        offers=lambda values: relay_offers(values, 6, {"switch": "Its switch."}),
        tags=lambda _values: {"board": "lamp"},
        drivers=(
            *relay_drivers({"switch": "SWITCH"}),
            DriverLine("RecordedConsoleDriver", "light", {"port": "light"}, "Its light.", "rig.drivers.console"),
        ),
    )


FAMILY = LampFamily()


def main() -> None:
    """The twin: it is lit while it has power and its switch is pressed, and says so to whoever connects."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--state", type=Path, required=True)
    parser.add_argument("--control")
    parser.add_argument("--light-port", type=int, default=0)
    parser.add_argument("--power", default="on")
    options = parser.parse_args()
    lines = {"power": options.power == "on", "switch": False}
    control = ControlServer(
        {
            "power": lambda request: lines.update(power=request["on"]) or lines,
            "switch": lambda request: lines.update(switch=request["pressed"]) or lines,
        }
    )

    async def shine(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"lit\n" if all(lines.values()) else b"dark\n")
        writer.close()

    async def light(host: str, port: int) -> int:
        server = await asyncio.start_server(shine, host, port)
        return int(server.sockets[0].getsockname()[1])

    async def start() -> dict[str, Any]:
        told = await control.start(control_socket_of_twin(options.state, options.control, None))
        return {"ready": True, "control": told, "light": await listening(light, (HOST, options.light_port))}

    serve(start, control.close)


if __name__ == "__main__":
    main()
