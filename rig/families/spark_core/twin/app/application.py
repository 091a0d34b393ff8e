"""An application once the bootloader has jumped to it, by the behaviour its manifest names.

Health, watchdog, listening mode and profiles as firmware 0.2.1 does it (core-firmware spark_4, main.cpp).
"""

from __future__ import annotations

from rig.families.spark_core.firmware.identity import Identity
from rig.families.spark_core.formats import flash as layout
from rig.families.spark_core.formats.flash import SystemFlags
from rig.families.spark_core.twin.app.cloud import CloudClient
from rig.families.spark_core.twin.app.console import listen_for_credentials
from rig.families.spark_core.twin.app.deep_update import deep_update
from rig.families.spark_core.twin.app.dialect import Dialect
from rig.families.spark_core.twin.app.listening import ListeningFunction
from rig.families.spark_core.twin.app.protocol import Conversation
from rig.families.spark_core.twin.app.user_code import UserCode, synthetic
from rig.families.spark_core.twin.flags import save
from rig.families.spark_core.twin.steps import Board
from rig.twin.steps import Delay, Idle, Program, Timer

HEALTHY = 0xFFFF
HEALTHY_AFTER_SECONDS = 1.0
LISTENING_AFTER_SECONDS = 0.5
NEVER_WIPED = 0


def application(board: Board, known: Identity) -> Program:
    """`ok` reports health and goes online or listens, `hangs` reports health and is stuck; others crash at once.

    SysTick goes on in an image that hangs, and feeds the watchdog: only a crash ever starves it.
    """
    if known.runs not in ("ok", "hangs", "never-confirms"):
        yield Idle()
        return
    dialect, booted = board.dialect or Dialect.of_image(known.version), board.time
    board.light("white", 0)
    board.feed_watchdog(None)
    yield Timer(HEALTHY_AFTER_SECONDS)
    board.dr[1] = HEALTHY
    board.event("healthy")
    yield Delay(LISTENING_AFTER_SECONDS)
    if known.runs == "hangs":
        yield Idle()
    flags = SystemFlags.unpack(board.memory.internal.read(layout.FLAGS_ADDRESS, dialect.flags_size))
    if known.patches_radio is not None:
        yield from deep_update(board, flags, known.patches_radio)
    if flags.nvmem == layout.NVMEM_WIPE_PROFILES:
        board.radio.wipe_profiles()
        flags.nvmem = NEVER_WIPED
        yield from save(board, flags)
    user, tells_radio = user_code(board, known, dialect), known.patches_radio is not None or dialect.tells_radio
    client = CloudClient(
        board, dialect, Conversation(board, dialect, user, flags, tells_radio=tells_radio, booted=booted)
    )
    while True:
        if board.listening_wanted or not board.radio.eeprom.profiles:
            yield from _listen(board)
        yield from client.stay_online()


def user_code(board: Board, known: Identity, dialect: Dialect) -> UserCode:
    """What the image offers; nothing after a watchdog reset, when only system firmware runs (§3.2)."""
    if "watchdog" in board.causes:
        return UserCode()
    return board.user_code or synthetic(known.name, known.version, known.offers, dialect)


def _listen(board: Board) -> Program:
    board.light("blue", 0.25)
    board.attach(ListeningFunction(board.uid))
    board.console.show(True)
    yield from listen_for_credentials(board)
    board.listening_wanted = False
    board.console.show(False)
    board.detach()
