"""Checks of the rescue of a Core: what is stranded, and what heals itself, each with a planted fault."""

from __future__ import annotations

import contextlib
import math
from types import SimpleNamespace

from rig.families.spark_core.boards.board import SparkCore
from rig.recovery.ladder import RescueLadder
from tests.rig.families.spark_core.twin.models import ROLES
from tests.rig.stand_ins import Showing, Ticking


def rescued(*shown):
    clock = Ticking()
    lines = Showing(clock, *shown)
    board = SparkCore("core-01", relay=lines, mode=lines, usb=lines, reset=lines, clock=clock)
    board.verify_off = board.enter_dfu = lambda: None
    board.update = lambda _image: setattr(lines, "shown_until", [("1d50:607d", math.inf)])
    board.dfu = lambda: contextlib.nullcontext(SimpleNamespace(read=lambda _address, n: ROLES["new"].data.ljust(n)))
    return RescueLadder(board, ROLES, ROLES["old"]).climb(lambda _text: None)


def a_board_that_leaves_dfu_by_itself_is_not_stranded(tmp_path):
    outcome = rescued((None, 4), ("1d50:607f", 8), ("1d50:607d", math.inf))
    assert (outcome.rung, outcome.image) == ("wait", "new")


def a_stranded_board_did_not_heal_itself(tmp_path):
    outcome = rescued(("1d50:607f", math.inf))
    assert (outcome.rung, outcome.image, outcome.stranded) == ("reflash", "none", True)
