"""An ESP32 of a virtual rack."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from rig.drivers.stock_verbs import stock_resources
from rig.errors import Misuse
from rig.families.esp32.lab.factory import ship_esp32
from rig.family.rack_slot import (
    HOST,
    QUICK,
    RackServer,
    ReadyLine,
    Site,
    Slot,
    chosen_tag,
    common_tags,
    control_service,
    relay_resources,
)
from rig.family.update_server import UPDATE_HOSTS, UPDATES


@dataclass(frozen=True, slots=True)
class Esp32Slot(Slot):
    """One ESP32 of a rack: how fast it is, its chip's revision, and what feeds its USB bridge."""

    kind: ClassVar[str] = "esp32"
    program: ClassVar[str] = "rig.families.esp32.lab.twin"
    prefix: ClassVar[str] = "esp32"
    lines: ClassVar[tuple[str, ...]] = ("power", "boot", "reset")
    ports: ClassVar[tuple[str, ...]] = ("serial", "raw")
    servers: ClassVar[tuple[RackServer, ...]] = (UPDATES,)
    short_form: ClassVar[str] = "esp32s"

    time_scale: float = 1.0
    revision: int = 300
    fed_by_board: bool = False

    @classmethod
    def of(cls, time_scale: float, tags: Mapping[str, str]) -> Esp32Slot:
        """An ESP32 by the tags revision and bridge."""
        fed_by_board = chosen_tag(cls.kind, tags, "bridge", ("always", "board")) == "board"
        return cls(time_scale, _revision(tags.get("revision", "v3.0")), fed_by_board)

    @classmethod
    def for_suites(cls, workers: int, *, every_case: bool) -> list[Esp32Slot]:
        """Quick ones for each worker, a slow one, and with `every_case` one that feeds its bridge itself.

        Without it few cases ask for an ESP32.
        """
        quick = workers if every_case else 2 * -(-workers // 3)
        return [*[cls(QUICK)] * quick, cls(1.0), *([cls(QUICK, fed_by_board=True)] if every_case else [])]

    def command(self, number: int, state: Path, site: Site) -> list[str]:
        """Ship it, and say how its twin is started. Raises Misuse."""
        ship_esp32(state, site.manifest.roles("esp32"))
        updates = site.servers[UPDATES.name]
        servers = [f"--server={name}={HOST}:{updates['listen']['port']}" for name in UPDATE_HOSTS]
        servers.append(f"--server=pool.ntp.org={HOST}:{updates['time']['port']}")
        return [
            *("rig", "twin", "esp32", "--state", str(state), "--mac", mac(number), "--revision", str(self.revision)),
            *("--address", address(number)),
            *("--time-scale", str(self.time_scale), "--seed", str(site.seed + number)),
            *("--manifest", str(site.manifest.path), "--trust", updates["trust"], *servers),
            *(["--bridge-fed-by-board"] if self.fed_by_board else []),
        ]

    def exports(self, ready_line: ReadyLine, coil: int, site: Site) -> dict[str, Any]:
        """Its place's resources for the exporter."""
        port = {"host": HOST, "port": ready_line["serial"]["port"], "protocol": "rfc2217"}
        return {
            **relay_resources(self.lines, coil, site),
            "serial": {"cls": "NetworkSerialPort", **port},
            "updates": control_service(site.servers[UPDATES.name]["control"], "updates"),
            **stock_resources(ready_line["mac"]),
        }

    def local_commands(self, ready_line: ReadyLine) -> list[str]:
        """Commands that reach it without labgrid."""
        url = ready_line["serial"]["url"]
        return [f"rig serial info --port {url}", f"esptool --port {url} flash-id"]

    def server_commands(self, ready_line: ReadyLine, servers: Mapping[str, ReadyLine]) -> list[str]:
        """Commands of its update server."""
        return [
            f"export RIG_HTTPS_CONTROL={servers[UPDATES.name]['control']['address']}",
            f"rig cloud https publish FILE --path /{ready_line['mac']}/app.bin",
        ]

    @property
    def abilities(self) -> dict[str, str]:
        """What its place can do, as far as it is known before it starts."""
        return {
            **common_tags(self),
            "revision": f"v{self.revision // 100}.{self.revision % 100}",
            "bridge": "board" if self.fed_by_board else "always",
            "wifi": "joined",
        }

    def tags(self, ready_line: ReadyLine) -> dict[str, str]:
        """What its twin tells of itself."""
        return {"mac": ready_line["mac"], "address": ready_line["address"]}


def _revision(tag: str) -> int:
    """A chip's revision, major * 100 + minor, of a tag as `v3.0`. Raises Misuse."""
    match = re.fullmatch(r"v([0-9]{1,2})\.([0-9]{1,2})", tag, re.ASCII)
    if match is None:
        raise Misuse(f"no ESP32 has revision={tag}", hint="for example v3.0")
    return int(match[1]) * 100 + int(match[2])


def address(number: int) -> str:
    """The IP address of the `number`-th virtual ESP32, which servers know it by."""
    return f"127.32.{(number + 1) // 256}.{(number + 1) % 256}"


def mac(number: int) -> str:
    """The base address of the `number`-th virtual ESP32."""
    return f"240ac4{number + 1:06x}"
