"""Waiting, and living for a while: programs that time goes by in, whatever comes from outside."""

from __future__ import annotations

from rig.families.esp32.twin.steps import Board
from rig.twin.steps import Delay, Idle, Listen, Program, Timer


def wait_until(board: Board, at: float) -> Program:
    """Wait until it is `at` on the board, whatever comes from outside."""
    while board.time < at:
        yield Listen(at - board.time)


def run_for(board: Board, seconds: float, program: Program) -> Program:
    """Run `program` for so long, whatever it waits for; flash work under way is finished."""
    end = board.time + seconds
    answer: bool | None = None
    while board.time < end:
        try:
            step = program.send(answer)
        except StopIteration:
            step = Idle()
        left = end - board.time
        match step:
            case Listen(left_to_it):
                step = Listen(min(left_to_it, left))
            case Timer(takes) | Delay(takes) if takes > left:
                yield from wait_until(board, end)
                return
            case Idle():
                yield from wait_until(board, end)
                return
        answer = yield step
