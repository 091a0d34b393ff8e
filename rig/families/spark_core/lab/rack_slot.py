"""A Spark Core of a virtual rack."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from rig.drivers.stock_verbs import stock_resources
from rig.families.spark_core.formats.core_id import usb_serial
from rig.families.spark_core.formats.flash import GENERATIONS
from rig.families.spark_core.lab.factory import FactoryContents, ship_core, shipped_public_key
from rig.families.spark_core.lab.rack_cloud import CLOUD, core_keys, server_record, shipped_key
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
    service,
)
from rig.ports import format_address

#: The usual one first.
_GENERATIONS = ("b", *(generation for generation in GENERATIONS if generation != "b"))


@dataclass(frozen=True, slots=True)
class CoreSlot(Slot):
    """One Core of a rack: how fast it is, its bootloader's generation, its revision, and whether that is locked."""

    kind: ClassVar[str] = "spark-core"
    program: ClassVar[str] = "rig.families.spark_core.lab.twin"
    prefix: ClassVar[str] = "core"
    lines: ClassVar[tuple[str, ...]] = ("power", "mode", "reset")
    ports: ClassVar[tuple[str, ...]] = ("usbip", "console")
    servers: ClassVar[tuple[RackServer, ...]] = (CLOUD,)
    short_form: ClassVar[str] = "cores"
    usual: ClassVar[int] = 2

    time_scale: float = 1.0
    generation: str = "b"
    revision: str = "white"
    locked: bool = True
    #: Whether it knows a network, and so goes online instead of listening.
    joined: bool = False

    @classmethod
    def of(cls, time_scale: float, tags: Mapping[str, str]) -> CoreSlot:
        """A Core by the tags generation, revision, locked and wifi."""
        return cls(
            time_scale,
            chosen_tag(cls.kind, tags, "generation", _GENERATIONS),
            chosen_tag(cls.kind, tags, "revision", ("white", "black")),
            locked=chosen_tag(cls.kind, tags, "locked", ("yes", "no")) == "yes",
            joined=chosen_tag(cls.kind, tags, "wifi", ("none", "joined")) == "joined",
        )

    @classmethod
    def for_suites(cls, workers: int, *, every_case: bool) -> list[CoreSlot]:
        """Quick ones of generation B for each worker, and one of every other that some case asks for.

        Cuts aimed at a window need a board as slow as a real one. With `every_case` there are as many of each
        generation, one of 2013, and one board more that knows a network, for a cut that costs its radio. Without it few
        cases ask for generations A and C, and for no slow one of these: a board that nobody asks for only takes time to
        start.
        """
        letters = "abc" if every_case else "b"
        few = workers if every_case else -(-workers // 3)
        counts = {"b": workers, "a": few, "c": few, "a2013": int(every_case)}
        return [
            *(cls(QUICK, letter) for letter, count in counts.items() for _ in range(count)),
            *(cls(1.0, letter) for letter in letters),
            *(cls(QUICK, revision="black"), cls(QUICK, locked=False)),
            *(cls(QUICK, letter, joined=True) for letter in letters),
            *(cls(1.0, letter, joined=True) for letter in ("abcb" if every_case else "b")),
        ]

    def command(self, number: int, state: Path, site: Site) -> list[str]:
        """Ship it, and say how its twin is started. Raises Misuse."""
        networks = ("rig",) if self.joined else ()
        contents = FactoryContents(shipped_key().private_der, server_record(site), networks)
        ship_core(state, site.manifest, self.generation, contents)
        if pem := shipped_public_key(state):
            (core_keys(site) / f"{core_id(number)}.pub.pem").write_text(pem)
        return [
            *("rig", "twin", "spark-core", "--state", str(state), "--core-id", core_id(number)),
            *("--time-scale", str(self.time_scale), "--seed", str(site.seed + number)),
            *("--manifest", str(site.manifest.path), "--generation", self.generation),
            *("--cloud", f"{HOST}:{site.servers[CLOUD.name]['listen']['port']}"),
            *(["--locked"] if self.locked else []),
        ]

    def exports(self, ready_line: ReadyLine, coil: int, site: Site) -> dict[str, Any]:
        """Its place's resources for the exporter."""
        console = {"host": HOST, "port": ready_line["console"]["port"], "protocol": "raw"}
        return {
            **relay_resources(self.lines, coil, site),
            "usbip": service(ready_line["usbip"]["port"], "usbip"),
            "console": {"cls": "NetworkSerialPort", **console},
            "cloud": control_service(site.servers[CLOUD.name]["control"], "cloud"),
            **stock_resources(usb_serial(bytes.fromhex(ready_line["core_id"]))),
        }

    def local_commands(self, ready_line: ReadyLine) -> list[str]:
        """Commands that reach it without labgrid."""
        usb = format_address(ready_line["usbip"]["host"], ready_line["usbip"]["port"])
        return [f"rig dfu list --usbip {usb}      # in DFU: hold MODE, power cycle, let go after 4 s"]

    def server_commands(self, ready_line: ReadyLine, servers: Mapping[str, ReadyLine]) -> list[str]:
        """Commands of its cloud, where it goes online."""
        if not self.joined:
            return []
        core = ready_line["core_id"]
        return [
            f"export RIG_SPARK_CONTROL={servers[CLOUD.name]['control']['address']}",
            "rig cloud spark list",
            f"rig cloud spark describe {core}",
            f"rig cloud spark flash {core} FILE      # `rig firmware build DIR` makes files",
        ]

    @property
    def abilities(self) -> dict[str, str]:
        """What its place can do, as far as it is known before it starts."""
        return {
            **common_tags(self),
            "generation": self.generation,
            "revision": self.revision,
            "locked": "yes" if self.locked else "no",
            "wifi": "joined" if self.joined else "none",
        }

    def tags(self, ready_line: ReadyLine) -> dict[str, str]:
        """What its twin tells of itself: a bootloader in its flash that is known wins over the one it was to have."""
        return {
            "generation": ready_line["generation"],
            "busid": ready_line["usbip"]["busid"],
            "core_id": ready_line["core_id"],
        }


def core_id(number: int) -> str:
    """The id of the `number`-th virtual Core."""
    return f"48ff6c06506755502631{number + 1:04x}"
