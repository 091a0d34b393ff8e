"""What an application does once the bootloader has jumped to it, by the behaviour its manifest names.

Health, watchdog and listening mode as firmware 0.2.1 does it (reference/spark-core.md §2.3, §5.1).
"""

from __future__ import annotations

from rig.twin.spark_core.listening import ListeningFunction
from rig.twin.spark_core.steps import Board, Delay, Idle, Program, Timer

HEALTHY = 0xFFFF
HEALTHY_AFTER_SECONDS = 1.0
LISTENING_AFTER_SECONDS = 0.5


def application(board: Board, behaviour: str | None) -> Program:
    """`ok` reports health and listens for Wi-Fi credentials, `hangs` reports health and is stuck; others crash at once.

    SysTick goes on in an image that hangs, and feeds the watchdog: only a crash ever starves it.
    """
    if behaviour not in ("ok", "hangs", "never-confirms"):
        yield Idle()
        return
    board.light("white", 0)
    board.feed_watchdog(None)
    yield Timer(HEALTHY_AFTER_SECONDS)
    board.dr[1] = HEALTHY
    board.event("healthy")
    yield Delay(LISTENING_AFTER_SECONDS)
    if behaviour != "hangs":
        board.light("blue", 0.25)
        board.attach(ListeningFunction(board.uid))
    yield Idle()
