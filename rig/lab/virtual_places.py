"""What a virtual rack's places offer: the kinds of Cores, resources for the exporter, tags for whoever asks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

#: What the relay switches of each board, in the order of its channels.
LINES = ("power", "mode", "reset")
#: Resources each place offers: what people switch, what cuts use, the buttons, USB, the console, the cloud.
RESOURCES = {"power", "cut", "mode", "reset", "usbip", "console", "cloud"}


@dataclass(frozen=True, slots=True)
class CoreSlot:
    """One Core of a rack: how fast it is, its bootloader's letter, its revision, and whether that is locked."""

    time_scale: float = 1.0
    generation: str = "B"
    revision: str = "white"
    locked: bool = True
    #: Whether it knows a network, and so goes online instead of listening.
    joined: bool = False


def exports(
    host: str, boards: Mapping[str, Mapping[str, Any]], relay: Mapping[str, Any], cloud: Mapping[str, Any]
) -> dict[str, Any]:
    """The exporter's configuration: a group of resources for each place, by the ports of its parts."""
    modbus = f"{host}:{relay['modbus']['port']}"
    groups = {}
    for number, (place, board) in enumerate(boards.items()):
        first = number * len(LINES)
        coils = {
            name: {"cls": "ModbusTCPCoil", "host": modbus, "coil": first + offset}
            for offset, name in enumerate(("cut", "mode", "reset"))
        }
        power = {"model": "shelly_gen2", "host": f"http://{host}:{relay['http']['port']}", "index": first}
        console = {"host": host, "port": board["console"]["port"]}
        groups[place] = {
            "power": {"cls": "NetworkPowerPort", **power},
            **coils,
            "usbip": _service(host, board["usbip"]["port"], "usbip"),
            "console": {"cls": "NetworkSerialPort", **console, "protocol": "raw"},
            "cloud": _service(host, cloud["control"]["port"], "cloud"),
        }
    return groups


def tags(slot: CoreSlot, board: Mapping[str, Any], seed: int) -> dict[str, str]:
    """What a place can do; a board's tests ask for these and for nothing else."""
    return {
        "board": "spark-core",
        "generation": board["generation"].lower(),
        "revision": slot.revision,
        "locked": "yes" if slot.locked else "no",
        "expendable": "yes",
        "mode": "wired",
        "reset": "wired",
        "feeds": "all",
        "relay_ms": "0",
        "timing": "real" if slot.time_scale == 1 else "scaled",
        "timing_scale": f"{slot.time_scale:g}",
        "busid": board["usbip"]["busid"],
        "seed": str(seed),
        "core_id": board["core_id"],
        "wifi": "joined" if slot.joined else "none",
        "health": "ok",
        "tier": "model",
    }


def _service(host: str, port: int, name: str) -> dict[str, Any]:
    return {"cls": "NetworkService", "address": host, "port": port, "username": name}
