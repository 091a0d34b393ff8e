"""A board of a virtual rack: which twin it is, how it is wired, what its place offers, and what it connects to."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Protocol, Self

from rig.errors import Misuse
from rig.firmware.manifest import Manifest
from rig.firmware.run_firmware import SYNTHETIC

HOST = "127.0.0.1"
#: Time scale of boards whose exact timing does not matter.
QUICK = 0.1
#: What a part says of itself when it is ready.
ReadyLine = dict[str, Any]


@dataclass(slots=True)
class Site:
    """One rack's: `folder` is gone with it, `state` is what it keeps; addresses as the parts' ready lines tell them."""

    folder: Path
    state: Path
    manifest: Manifest
    seed: int
    #: What boards connect to, by name.
    servers: dict[str, ReadyLine] = field(default_factory=dict)
    relay: ReadyLine = field(default_factory=dict)


class RackServer(Protocol):
    """A server that boards of a rack connect to; a rack has one of a name, started before its boards.

    Like a twin it prints one JSON line when it is ready, and serves its control port where `--control` says.
    """

    @property
    def name(self) -> str:
        """What it is called among the rack's parts; slots find what it told in `Site.servers`."""

    @property
    def listens(self) -> tuple[str, ...]:
        """Parts of its ready line with the `host` and `port` where it listens; options of its command are called so."""

    @property
    def program(self) -> str:
        """As a slot's."""

    def command(self, site: Site) -> list[str]:
        """What `python -m` runs: a module and its arguments, any free port among them. Raises Misuse."""


class Slot(ABC):
    """One board of a rack to be. A family's is a frozen dataclass with a field for each choice that there is."""

    #: What it is.
    kind: ClassVar[str]
    #: What its place is called, before its number.
    prefix: ClassVar[str]
    #: What the relay switches of it, in the order of its channels; the first is its supply.
    lines: ClassVar[tuple[str, ...]]
    #: Parts of its ready line with a `port`; options of its command are called after them, `--NAME-port`.
    ports: ClassVar[tuple[str, ...]]
    #: The module that its twin runs, to be loaded before some are forked; may have `prepare(manifest)`.
    program: ClassVar[str] = ""
    #: What it connects to.
    servers: ClassVar[tuple[RackServer, ...]] = ()
    #: The short form of `--boards KIND=N`, as `cores` for `--cores N`; empty for none.
    short_form: ClassVar[str] = ""
    #: How many `rig up` starts where nobody says which boards.
    usual: ClassVar[int] = 0

    #: Stretches modelled flash and boot times; 1 is a real board's pace.
    time_scale: float

    @classmethod
    @abstractmethod
    def of(cls, time_scale: float, tags: Mapping[str, str]) -> Self:
        """A board whose place has these tags, as far as there is a choice: others are left alone.

        Raises Misuse for a value that no such board has.
        """

    @classmethod
    def for_suites(cls, workers: int, *, every_case: bool) -> list[Self]:
        """Boards for suites that `workers` run at once; with `every_case` all that some case may ask for.

        A rack starts those of them that are asked for.
        """
        return [*[cls.of(QUICK, {})] * workers, cls.of(1.0, {})]

    @abstractmethod
    def command(self, number: int, state: Path, site: Site) -> list[str]:
        """Ship it, as the `number`-th of the rack, and say what `python -m` runs: a module and its arguments.

        The twin keeps its flash in `state`. It takes `--control ADDRESS`, `--power off` and an option for each of its
        `ports`, and prints one JSON line when it is ready. Raises Misuse.
        """

    @abstractmethod
    def exports(self, ready_line: ReadyLine, coil: int, site: Site) -> dict[str, Any]:
        """Its place's resources for the exporter; `coil` is the first of its relay's."""

    @property
    def abilities(self) -> dict[str, str]:
        """What its place can do, as far as it is known before it starts; tests ask for these and for nothing else."""
        return common_tags(self)

    def tags(self, _ready_line: ReadyLine) -> dict[str, str]:
        """What its twin tells of itself, over what was known before."""
        return {}

    def local_commands(self, _ready_line: ReadyLine) -> list[str]:
        """Commands that reach it without labgrid, for people to paste."""
        return []

    def server_commands(self, _ready_line: ReadyLine, _servers: Mapping[str, ReadyLine]) -> list[str]:
        """Commands that reach it over the rack's servers, for people to paste."""
        return []


def chosen_tag(kind: str, tags: Mapping[str, str], name: str, values: Collection[str]) -> str:
    """The value of a tag, or the first of `values` where it is not told. Raises Misuse for one that is none of them."""
    value = tags.get(name, next(iter(values)))
    if value not in values:
        raise Misuse(f"no virtual board of kind {kind} has {name}={value}", hint=f"one of {', '.join(values)}")
    return value


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


def control_service(ready_line: ReadyLine, name: str) -> dict[str, Any]:
    """A control port as labgrid knows one: where it is a socket of this machine, its address is `unix:PATH`."""
    return service(ready_line.get("port", 0), name, str(ready_line.get("host", ready_line["address"])))


def common_tags(slot: Slot) -> dict[str, str]:
    """What every board's place says, and which buttons are wired: the lines that its relay switches beside the supply.

    A slot's own tags go by this; the decorator that makes it a dataclass leaves it no `super()`.
    """
    return {
        "board": slot.kind,
        "expendable": "yes",
        **dict.fromkeys(slot.lines[1:], "wired"),
        "feeds": "all",
        "relay_ms": "0",
        "timing": "real" if slot.time_scale == 1 else "scaled",
        "timing_scale": f"{slot.time_scale:g}",
        "health": "ok",
        SYNTHETIC: "yes",
        "tier": "model",
    }
