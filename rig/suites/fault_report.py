"""The report of a device fault: what was done, what was expected, what was seen for how long, and what came before."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from rig import escape
from rig.boards.assertions import format_seconds
from rig.errors import DeviceFault
from rig.evidence.timeline import Moment
from rig.suites.time_limit import TookTooLong

if TYPE_CHECKING:
    from rig.boards.board import Board
    from rig.drivers.console import ConsoleRecorder

#: How much of the console and of the timeline is told: its end, and no longer lines than this.
LAST_LINES, LAST_MOMENTS, LONGEST_LINE = 10, 20, 200


@dataclass(frozen=True, slots=True)
class FaultReport:
    """One fault's; `line` says it in one line, `timeline` is of the board and of the bench, oldest first."""

    line: str
    did: str
    expected: str
    seen: str
    console: Sequence[str]
    timeline: Sequence[str]

    def __str__(self) -> str:
        text = [f"did:       {self.did}", f"expected:  {self.expected}", f"seen:      {self.seen}"]
        for name, lines in (("console", self.console), ("timeline", self.timeline)):
            text += [f"{name}:", *(f"    {line}" for line in lines)] if lines else []
        return "\n".join(map(escape.terminal, text))


def fault_report_of(
    error: BaseException, at: pytest.ExceptionInfo[BaseException], board: Board, moments: Iterable[Moment] = ()
) -> FaultReport:
    """The report of a fault of `board`; `moments` are the bench's, beside the board's own.

    What was done, and the console, are those of the moment that it was seen; the timeline goes on until now.
    """
    at_ns = error.at_ns if isinstance(error, DeviceFault) else None
    history = board.history if at_ns is None else board.history.up_to(at_ns)
    lasted = f"{format_seconds(history.seconds_since_action())} after that"
    if isinstance(error, DeviceFault):
        did = error.after or history.last_actions
        line = str(error) if error.after is not None else _with_action(str(error), did)
        expected, seen = error.expected or "no fault of the board", error.seen or f"{error.message}, {lasted}"
    elif isinstance(error, pytest.fail.Exception):
        did, said = history.last_actions, str(error)
        expected = f"an end within {error.seconds:g} s" if isinstance(error, TookTooLong) else "no such failure"
        line, seen = _with_action(f"{board.name}: {said}", did), said
    else:
        did = history.last_actions
        expected, seen, message = _asserted(error, at)
        line, seen = f"{board.name}: {did}; {message}", f"{seen}, {lasted}"
    console, timeline = _tail(board.console, at_ns), _timeline(board.history.moments, moments)
    return FaultReport(escape.one_line(line), did, expected, seen, console, timeline)


def _with_action(line: str, did: str) -> str:
    """A line that does not say yet what was done to the board before."""
    return f"{line} (it {did})" if did.startswith("was ") else f"{line} (after: {did})"


def _asserted(error: BaseException, at: pytest.ExceptionInfo[BaseException]) -> tuple[str, str, str]:
    """What an assertion wanted, what it found, as pytest tells it, and both in one line: what is the same, once."""
    said = str(error).splitlines() or [type(error).__name__]
    found = next((line for line in said if line.startswith("assert ")), said[0])
    statement = " ".join(str(at.traceback[-1].statement).split()).removeprefix("assert ")
    expected, seen = said[0] if said[0] != found else statement, found.removeprefix("assert ")
    if expected == seen:
        return expected, f"not so: {seen}", f"assert {seen}"
    return expected, seen, f"expected {expected}, and seen was {seen}"


def _tail(console: ConsoleRecorder | None, at_ns: int | None) -> list[str]:
    """The last lines of a board's console, by a moment or by now."""
    if console is None:
        return []
    text = console.text if at_ns is None else console.text_until(at_ns)
    lines = text.decode("utf-8", "replace").splitlines()
    return [line[:LONGEST_LINE] for line in lines if line.strip()][-LAST_LINES:]


def _timeline(*sources: Iterable[Moment]) -> list[str]:
    """The last moments of all, in milliseconds until now."""
    moments = sorted((moment for source in sources for moment in source), key=lambda moment: moment.ns)[-LAST_MOMENTS:]
    first = moments[0].ns if moments else 0
    return [f"{(m.ns - first) / 1e6:10.0f} ms  {m.source:7} {m.text[:LONGEST_LINE]}" for m in moments]
