"""An ESP32's application once the second stage has started it: it confirms itself or not, and looks for updates.

What the image does is its manifest's word (EspBehaviour), how it looks for updates is in update_client.py. A program
that is dropped says nothing: no step here may hang up when its generator is closed, for that is how power fails.
"""

from __future__ import annotations

import math

from rig.families.esp32.firmware.behaviour import EspBehaviour
from rig.families.esp32.firmware.details import behaviour_of
from rig.families.esp32.formats import image as esp_image
from rig.families.esp32.formats.idf_client import NEEDS_ALL_FLASH
from rig.families.esp32.formats.partition_table import Partition
from rig.families.esp32.twin.app.esp_error import EspError
from rig.families.esp32.twin.app.ota import Ota
from rig.families.esp32.twin.app.update_client import CheckResult, UpdateClient
from rig.families.esp32.twin.app.waiting import run_for, wait_until
from rig.families.esp32.twin.steps import Board
from rig.firmware.manifest import Image
from rig.twin.steps import Delay, Idle, Program, Reset

#: Modelled: start-up of the system, joining the network, and the pause before a restart.
START_SECONDS, JOIN_SECONDS, RESTART_SECONDS = 0.3, 2.0, 1.0


def application(board: Board, running: Partition, image: Image | None, flash_size: int) -> Program:
    """Run the application in partition `running`; one that nobody knows starts, and stays.

    `flash_size` is what the second stage's header says, in bytes.
    """
    yield Delay(START_SECONDS)
    _introduce(board, running)
    behaviour = _behaviour(image)
    yield from _probe_flash(board, flash_size, behaviour or EspBehaviour())
    if behaviour is None or image is None:
        yield Idle()
        return
    program = _live(Ota(board, running, behaviour), image.version)
    if behaviour.crashes_after is not None:
        yield from run_for(board, behaviour.crashes_after, program)
        yield from _panic(board)
    if behaviour.hangs_after is not None:
        yield from run_for(board, behaviour.hangs_after, program)
        board.event("hangs")
        yield Idle()
        return
    yield from program


def _behaviour(image: Image | None) -> EspBehaviour | None:
    """What the manifest says of it; one that crashes or hangs without a time for it does so at once."""
    if image is None:
        return None
    behaviour = behaviour_of(image) or EspBehaviour()
    changes: dict[str, object] = {}
    if image.runs == "crashes" and behaviour.crashes_after is None:
        changes = {"crashes_after": 0.0}
    elif image.runs == "hangs" and behaviour.hangs_after is None:
        changes = {"hangs_after": 0.0}
    elif image.runs == "never-confirms":
        changes = {"confirms": "never"}
    return behaviour.model_copy(update=changes)


def _introduce(board: Board, running: Partition) -> None:
    found = esp_image.read_description(board.memory.flash.read, running.offset)
    if found is not None:
        board.say("I app_init: Application information:")
        board.say(f"I app_init: Project name:     {found.project}")
        board.say(f"I app_init: App version:      {found.version}")
        board.say(f"I app_init: ELF file SHA256:  {found.elf_sha256.hex()[:9]}...")
        board.say(f"I app_init: ESP-IDF:          {found.idf}")


def _probe_flash(board: Board, promised: int, behaviour: EspBehaviour) -> Program:
    """Flash is asked how large it is; less than was promised is taken by older releases only (§12.6)."""
    size = board.memory.size
    if size >= promised or not behaviour.idf_release.does(NEEDS_ALL_FLASH):
        return
    header = f"the size in the binary image header({promised >> 10}k). Probe failed."
    board.say(f"E spi_flash: Detected size({size >> 10}k) smaller than {header}")
    board.say("assert failed: __esp_system_init_fn_init_flash startup_funcs.c:118 (flash_ret == ESP_OK)")
    board.say("Rebooting...")
    board.event("crash")
    yield Reset()


def _panic(board: Board) -> Program:
    board.say("Guru Meditation Error: Core  0 panic'ed (LoadProhibited). Exception was unhandled.")
    board.say("Rebooting...")
    board.event("crash")
    yield Reset()


def _live(ota: Ota, version: str) -> Program:
    """Confirm, join the network, check: until an update is installed, or for ever."""
    behaviour, board = ota.behaviour, ota.board
    if behaviour.confirms == "at-start":
        yield from _confirm(ota)
    confirms = board.time + (behaviour.confirms if isinstance(behaviour.confirms, int | float) else math.inf)
    checks = math.inf
    if behaviour.client is not None:
        yield Delay(JOIN_SECONDS)
        board.say("I app: connected to the network")
        board.event("online")
        client = UpdateClient(ota, version)
        yield from client.prepare()
        every = behaviour.checks_every or math.inf
        checks = board.time + (0.0 if behaviour.checks_at_boot else every)
    while True:
        if board.time >= confirms:
            confirms = math.inf
            yield from _confirm(ota)
        elif board.time >= checks:
            checked = yield from client.check()
            if checked is CheckResult.INSTALLED:
                yield from _restart(board)
            if checked is CheckResult.NO_UPDATE and behaviour.confirms == "after-check":
                yield from _confirm(ota)
            checks = board.time + every
        elif min(confirms, checks) == math.inf:
            yield Idle()
        else:
            yield from wait_until(board, min(confirms, checks))


def _confirm(ota: Ota) -> Program:
    """Confirm an application that is on probation."""
    if not ota.pending:
        return
    try:
        yield from ota.mark_valid()
    except EspError as error:
        ota.board.say(f"E app: Failed to cancel rollback ({error})")
        return
    ota.board.say("I app: App is valid, rollback cancelled successfully")


def _restart(board: Board) -> Program:
    board.event("update-installed")
    yield Delay(RESTART_SECONDS)
    yield Reset()
