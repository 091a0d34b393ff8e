"""An ESP32 of a virtual rack."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from rig.firmware.manifest import BoardKind
from rig.lab.esp32_factory import ship_esp32
from rig.lab.site import HOST, UPDATE_HOSTS, Site, Told, common_tags, control_service, relay_resources


@dataclass(frozen=True, slots=True)
class Esp32Slot:
    """One ESP32 of a rack: how fast it is, its chip's revision, and what feeds its USB bridge."""

    kind: ClassVar[BoardKind] = "esp32"
    prefix: ClassVar[str] = "esp32"
    lines: ClassVar[tuple[str, ...]] = ("power", "boot", "reset")
    ports: ClassVar[tuple[str, ...]] = ("serial", "raw")
    resources: ClassVar[set[str]] = {"power", "cut", "boot", "reset", "serial", "updates"}

    time_scale: float = 1.0
    revision: int = 300
    fed_by_board: bool = False

    def command(self, number: int, state: Path, site: Site) -> list[str]:
        """Ship it, and say how its twin is started. Raises Misuse."""
        ship_esp32(state, site.manifest.roles("esp32"))
        servers = [f"--server={name}={HOST}:{site.updates['listen']['port']}" for name in UPDATE_HOSTS]
        servers.append(f"--server=pool.ntp.org={HOST}:{site.updates['time']['port']}")
        return [
            *("twin", "esp32", "--state", str(state), "--mac", mac(number), "--revision", str(self.revision)),
            *("--address", address(number)),
            *("--time-scale", str(self.time_scale), "--seed", str(site.seed + number)),
            *("--manifest", str(site.manifest.path), "--trust", str(site.trust), *servers),
            *(["--bridge-fed-by-board"] if self.fed_by_board else []),
        ]

    def exports(self, told: Told, coil: int, site: Site) -> dict[str, Any]:
        """Its place's resources for the exporter."""
        port = {"host": HOST, "port": told["serial"]["port"], "protocol": "rfc2217"}
        return {
            **relay_resources(self.lines, coil, site),
            "serial": {"cls": "NetworkSerialPort", **port},
            "updates": control_service(site.updates["control"], "updates"),
        }

    @property
    def abilities(self) -> dict[str, str]:
        """What its place can do, as far as it is known before it starts."""
        return {
            **common_tags(self.kind, self.time_scale),
            "revision": f"v{self.revision // 100}.{self.revision % 100}",
            "boot": "wired",
            "bridge": "board" if self.fed_by_board else "always",
            "wifi": "joined",
        }

    def tags(self, told: Told) -> dict[str, str]:
        """What its twin tells of itself."""
        return {"mac": told["mac"], "address": told["address"]}


def address(number: int) -> str:
    """The IP address of the `number`-th virtual ESP32, which servers know it by."""
    return f"127.32.{(number + 1) // 256}.{(number + 1) % 256}"


def mac(number: int) -> str:
    """The base address of the `number`-th virtual ESP32."""
    return f"240ac4{number + 1:06x}"
