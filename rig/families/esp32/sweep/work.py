"""What works on an ESP32's flash on each path, from a board without power to the end.

It is the code that drives boards, or a program of the board.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from urllib.parse import urlsplit

from rig.errors import LabFault, Misuse
from rig.families.esp32.boards.golden import write_set
from rig.families.esp32.drivers.loader import RomLoader
from rig.families.esp32.sweep.built import Built
from rig.families.esp32.sweep.serial_in_memory import SerialInMemory
from rig.families.esp32.sweep.servers_in_memory import ServersInMemory
from rig.families.esp32.sweep.start import settle
from rig.families.esp32.twin.app.ota import Ota
from rig.families.esp32.twin.memory import Esp32Memory
from rig.trust.authority import make_root
from rig.trust.identity import pem
from rig.twin.steps import Work


def cold_start(built: Built, memory: Esp32Memory) -> None:
    """What a start does by itself."""
    built.start(memory)


def over_https(running: str) -> Callable[[Built, Esp32Memory], None]:
    """The application of this role finds the new one on a server, and takes it."""

    def work(built: Built, memory: Esp32Memory) -> None:
        host = urlsplit(built.behaviour(running).url or "").hostname or ""
        servers, root = ServersInMemory(), make_root("sweep")
        servers.show(host, root.issue(host))
        servers.offer = built.images["new"].data
        board = built.start.board(memory, trust=lambda _name: pem(root.certificate).decode())
        board.tcp.on_order = servers.order
        board.power_on(0)
        settle(board, servers.serve)
        if servers.seen.failures:
            raise Misuse(f"the image does not trust the server that it is to ask: {servers.seen.failures[0]}")
        if not any(event.name == "update-installed" for event in board.events):
            name = built.images[running].name
            raise LabFault(f"{name} did not take the update in memory", hint="does it look for one?")

    return work


def over_serial(what: Callable[[RomLoader, Built], None], *, stub: bool) -> Callable[[Built, Esp32Memory], None]:
    """A host writes something with our loader code, through esptool's stub or without, and lets the board start."""

    def work(built: Built, memory: Esp32Memory) -> None:
        board = built.start.board(memory)
        board.gpio0_low = True
        board.power_on(0)
        with RomLoader(SerialInMemory(board), resets=False, stub=stub) as rom:
            what(rom, built)
        board.hold_reset(True, board.time)
        board.gpio0_low = False
        board.hold_reset(False, board.time)
        settle(board)

    return work


def new_application(rom: RomLoader, built: Built) -> None:
    """Over the one that runs."""
    rom.write(built.slot(0).offset, built.images["new"].data)


def everything(rom: RomLoader, built: Built) -> None:
    """The golden set with the new application, as a factory or a rescue writes it."""
    write_set(rom, replace(built.golden, application=built.images["new"].data))


def choose_factory(built: Built, memory: Esp32Memory) -> None:
    """The application that runs gives way to the factory's, and the board starts."""
    board = built.start.board(memory)
    memory.power_on()
    ota = Ota(board, built.slot(0), built.behaviour("old"))
    factory = built.table.factory
    assert factory is not None, "this table has a factory application"
    for step in ota.set_boot(factory):
        if isinstance(step, Work):
            run = memory.enter(step.run)
            memory.perform(run, 0, run.count)
