"""A Spark Core of a virtual rack."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from rig.firmware.manifest import BoardKind
from rig.lab.factory import Belongings, ship_core, shipped_public_key
from rig.lab.site import HOST, Site, Told, common_tags, control_service, relay_resources, service


@dataclass(frozen=True, slots=True)
class CoreSlot:
    """One Core of a rack: how fast it is, its bootloader's generation, its revision, and whether that is locked."""

    kind: ClassVar[BoardKind] = "spark-core"
    prefix: ClassVar[str] = "core"
    lines: ClassVar[tuple[str, ...]] = ("power", "mode", "reset")
    ports: ClassVar[tuple[str, ...]] = ("usbip", "console")
    resources: ClassVar[set[str]] = {"power", "cut", "mode", "reset", "usbip", "console", "cloud"}

    time_scale: float = 1.0
    generation: str = "b"
    revision: str = "white"
    locked: bool = True
    #: Whether it knows a network, and so goes online instead of listening.
    joined: bool = False

    def command(self, number: int, state: Path, site: Site) -> list[str]:
        """Ship it, and say how its twin is started. Raises Misuse."""
        networks = ("rig",) if self.joined else ()
        belongings = Belongings(site.core_key.private_der, site.cloud_record, networks)
        ship_core(state, site.manifest, self.generation, belongings)
        if pem := shipped_public_key(state):
            (site.core_keys / f"{core_id(number)}.pub.pem").write_text(pem)
        return [
            *("twin", "spark-core", "--state", str(state), "--core-id", core_id(number)),
            *("--time-scale", str(self.time_scale), "--seed", str(site.seed + number)),
            *("--manifest", str(site.manifest.path), "--generation", self.generation),
            *("--cloud", f"{HOST}:{site.cloud['listen']['port']}"),
            *(["--locked"] if self.locked else []),
        ]

    def exports(self, told: Told, coil: int, site: Site) -> dict[str, Any]:
        """Its place's resources for the exporter."""
        console = {"host": HOST, "port": told["console"]["port"], "protocol": "raw"}
        return {
            **relay_resources(self.lines, coil, site),
            "usbip": service(told["usbip"]["port"], "usbip"),
            "console": {"cls": "NetworkSerialPort", **console},
            "cloud": control_service(site.cloud["control"], "cloud"),
        }

    @property
    def abilities(self) -> dict[str, str]:
        """What its place can do, as far as it is known before it starts."""
        return {
            **common_tags(self.kind, self.time_scale),
            "generation": self.generation,
            "revision": self.revision,
            "locked": "yes" if self.locked else "no",
            "mode": "wired",
            "wifi": "joined" if self.joined else "none",
        }

    def tags(self, told: Told) -> dict[str, str]:
        """What its twin tells of itself: a bootloader in its flash that is known wins over the one it was to have."""
        return {"generation": told["generation"], "busid": told["usbip"]["busid"], "core_id": told["core_id"]}


def core_id(number: int) -> str:
    """The id of the `number`-th virtual Core."""
    return f"48ff6c06506755502631{number + 1:04x}"
