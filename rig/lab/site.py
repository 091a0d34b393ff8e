"""What the boards of a virtual rack share: where it lives, its firmware, the servers they connect to."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from rig.firmware.manifest import BoardKind, Manifest
from rig.trust.core_key import CoreKey, make_core_key

HOST = "127.0.0.1"
#: Names that the update server answers to, each with an identity of its own, and under which authority that is.
UPDATE_HOSTS = {
    "updates.rig.test": "rig-intermediate",
    "ota.rig.test": "lets-encrypt-r10",
    "ota9.rig.test": "dtf-root-x1",
    "ota2.deploythefleet.com": "lets-encrypt-r10",
    "ota4.deploythefleet.com": "dtf-root-x1",
}


@dataclass(slots=True)
class Site:
    """One rack's: `folder` is gone with it, `state` is what it keeps; addresses as the parts' ready lines tell them."""

    folder: Path
    state: Path
    manifest: Manifest
    seed: int
    cloud: dict[str, Any] = field(default_factory=dict)
    #: The sector with its key that Cores are shipped with.
    cloud_record: bytes = b""
    updates: dict[str, Any] = field(default_factory=dict)
    relay: dict[str, Any] = field(default_factory=dict)
    #: Cores are shipped with one key: making one takes a second.
    core_key: CoreKey = field(default_factory=make_core_key)

    @property
    def core_keys(self) -> Path:
        """Public keys of the Cores that the cloud knows."""
        return self.folder / "core_keys"

    @property
    def trust(self) -> Path:
        """Certificates that ESP32s' firmware pins, by name."""
        return Path(self.updates["trust"])


#: What a part says of itself when it is ready.
Told = dict[str, Any]


class Slot(Protocol):
    """One board of a rack to be: which twin it is, how it is wired, what its place offers."""

    @property
    def kind(self) -> BoardKind:
        """What it is."""

    @property
    def prefix(self) -> str:
        """What its place is called, before its number."""

    @property
    def lines(self) -> tuple[str, ...]:
        """What the relay switches of it, in the order of its channels; the first is its supply."""

    @property
    def ports(self) -> tuple[str, ...]:
        """Parts of its ready line that have ports; options of its command are called after them."""

    @property
    def resources(self) -> set[str]:
        """What its place offers, by name."""

    def command(self, number: int, state: Path, site: Site) -> list[str]:
        """Ship it, and say how its twin is started. Raises Misuse."""

    def exports(self, told: Told, coil: int, site: Site) -> dict[str, Any]:
        """Its place's resources for the exporter; `coil` is the first of its relay's."""

    @property
    def abilities(self) -> dict[str, str]:
        """What its place can do, as far as it is known before it starts; tests ask for these and for nothing else."""

    def tags(self, told: Told) -> dict[str, str]:
        """What its twin tells of itself, over what was known before."""


def relay_resources(lines: tuple[str, ...], coil: int, site: Site) -> dict[str, Any]:
    """What people switch, what cuts use, and the buttons."""
    modbus = f"{HOST}:{site.relay['modbus']['port']}"
    coils = {
        name: {"cls": "ModbusTCPCoil", "host": modbus, "coil": coil + offset}
        for offset, name in enumerate(("cut", *lines[1:]))
    }
    power = {"model": "shelly_gen2", "host": f"http://{HOST}:{site.relay['http']['port']}", "index": coil}
    return {"power": {"cls": "NetworkPowerPort", **power}, **coils}


def service(port: int, name: str, address: str = HOST) -> dict[str, Any]:
    """A TCP service as labgrid knows one."""
    return {"cls": "NetworkService", "address": address, "port": port, "username": name}


def control_service(told: Told, name: str) -> dict[str, Any]:
    """A control port as labgrid knows one: where it is a socket of this machine, its address is `unix:PATH`."""
    return service(told.get("port", 0), name, str(told.get("host", told["address"])))


def common_tags(kind: BoardKind, time_scale: float) -> dict[str, str]:
    """What every board's place says."""
    return {
        "board": kind,
        "expendable": "yes",
        "reset": "wired",
        "feeds": "all",
        "relay_ms": "0",
        "timing": "real" if time_scale == 1 else "scaled",
        "timing_scale": f"{time_scale:g}",
        "health": "ok",
        "tier": "model",
    }
