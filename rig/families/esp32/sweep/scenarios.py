"""Scenarios of an ESP32: an update that its firmware takes over HTTPS, by client, release of ESP-IDF and rollback."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from urllib.parse import urlsplit

from rig.errors import LabFault, Misuse
from rig.families.esp32.boards.golden import golden_set
from rig.families.esp32.firmware.behaviour import EspBehaviour
from rig.families.esp32.firmware.details import behaviour_of, with_behaviour
from rig.families.esp32.formats.partition_table import PartitionTable
from rig.families.esp32.sweep.start import ColdStart, settle
from rig.families.esp32.sweep.update_server import UpdateServer
from rig.families.esp32.twin.memory import Esp32Memory
from rig.firmware.manifest import Image
from rig.sweep.scenario import Scenario, Update, checked
from rig.twin.flash import Run

HTTPS = "https"
_URL = "https://updates.rig.test/app.bin"


CHOICES: Mapping[str, tuple[str, ...]] = {
    "client": ("https-ota", "arduino"),
    "rollback": ("yes", "no"),
    "idf": ("5.5", "5.4", "5.1", "4.4"),
}


class Esp32Sweeps:
    """As rig.sweep.family asks for."""

    paths: Mapping[str, str] = {HTTPS: "an update over HTTPS, until the new application is confirmed"}
    roles = frozenset({"old", "new", "bootloader", "plain_bootloader", "table"})

    def choices(self, path: str) -> Mapping[str, tuple[str, ...]]:
        """What its firmware was built with."""
        return CHOICES

    def scenario(self, path: str, choices: Mapping[str, str], images: Mapping[str, Image]) -> Scenario:
        """Let a board find the new image on a server, and take it. Raises Misuse."""
        if missing := self.roles - set(images):
            raise Misuse(f"a sweep needs an image that plays {min(missing)}", hint="name it in the manifest")
        roles = _built(choices, images)
        golden = golden_set(roles)
        flash = bytearray(b"\xff" * Esp32Memory().size)
        for address, data in golden.parts():
            flash[address : address + len(data)] = data
        memory = Esp32Memory()
        memory.flash.load(bytes(flash))
        start = ColdStart.of(roles)
        start(memory)  # the first one of all writes into otadata what runs
        before = memory.snapshot()
        update(start, memory, roles)
        runs = tuple(memory.journal.runs)
        return Scenario(
            kind="esp32",
            memory=Esp32Memory,
            update=checked(Update(before, runs, phases_of(runs, golden.table))),
            start=start,
        )


def update(start: ColdStart, memory: Esp32Memory, images: Mapping[str, Image]) -> None:
    """From the old application's start to the new one's, which waits. Raises LabFault where none came about."""
    behaviour = behaviour_of(images["old"]) or EspBehaviour()
    server = UpdateServer(urlsplit(behaviour.url or _URL).hostname or "", images["new"].data)
    board = start.board(memory, trust=lambda _name: server.certificate)
    board.tcp.on_order = server.order
    board.power_on(0)
    settle(board, server.serve)
    if not any(event.name == "update-installed" for event in board.events):
        raise LabFault(f"{images['old'].name} did not take the update in memory", hint="does it look for updates?")


def phases_of(runs: tuple[Run, ...], table: PartitionTable) -> tuple[str, ...]:
    """What each run does: writes to otadata are told apart by how often that was begun before."""
    where = table.otadata
    assert where is not None, "a golden set has otadata"
    phases = ["otadata" if where.offset <= run.address < where.offset + where.size else "download" for run in runs]
    names, turn = iter(("choose", "first-boot", "confirm")), ""
    for number, (before, phase) in enumerate(pairwise(["", *phases])):
        if phase == "otadata":
            if "erase" in runs[number].kind:
                turn = "forget" if "download" not in phases[:number] and before != "otadata" else next(names, "later")
            phases[number] = turn
    return tuple(phases)


def _built(choices: Mapping[str, str], images: Mapping[str, Image]) -> dict[str, Image]:
    """The images as they behave when they were built so."""
    rollback = choices["rollback"] == "yes"
    chosen = {"client": choices["client"], "rollback": rollback, "idf": choices["idf"]}
    built = {role: _behaves(images[role], chosen) for role in ("old", "new")}
    bootloader = images["bootloader" if rollback else "plain_bootloader"]
    return {**images, **built, "bootloader": bootloader}


def _behaves(image: Image, chosen: Mapping[str, object]) -> Image:
    known = behaviour_of(image) or EspBehaviour()
    fields = {"url": known.url or _URL, "pins": known.pins or ("rig-root",), "confirms": known.confirms}
    return with_behaviour(image, EspBehaviour.model_validate({**fields, **chosen}))
