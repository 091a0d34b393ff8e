"""Standby, asked for by the application over a reset: generations B and C look at DR9, A does not know it.

core-common-lib db3bee8 (2014-04-04) put it into Set_System; DR9 is 0xFFFF afterwards (reference, Appendix E).
"""

from __future__ import annotations

from rig.families.spark_core.twin.steps import Board
from rig.twin.steps import Idle, Program

ASKED, CLEARED = 0xA5A5, 0xFFFF


def standby_if_asked(board: Board) -> Program:
    """Stand still until a reset or the next power-on, if DR9 asks for it."""
    if board.dr[9] == ASKED:
        board.dr[9] = CLEARED
        board.event("standby")
        yield Idle()
