"""What `rig sweep` prints of boards: how far it is, a table of phases, findings, and one JSON object."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rig.terminal.output import print_json, print_lines, print_status, update_progress

if TYPE_CHECKING:
    from rig.board_sweep.sweep import BoardSweep
    from rig.board_sweep.verdict import Verdict
    from rig.gate.judged import Judged
    from rig.gate.policy import Policy


#: How often a line is added where none can be written over.
LINE_SECONDS = 60.0


class BoardProgress:
    """One line that is written over: cuts, landed ones, rate, and the time that is left. In a log, a line a minute."""

    def __init__(self, policy: Policy, *, as_json: bool):
        self._policy, self._as_json = policy, as_json
        self._is_terminal = sys.stderr.isatty()
        self._began, self._shown = time.monotonic(), -LINE_SECONDS
        self._landed_before: int | None = None

    def say(self, text: str) -> None:
        """Something that goes before the first cut."""
        if not self._as_json:
            print_status(text)

    def advance(self, sweep: BoardSweep) -> None:
        """There is one more line in the ledger."""
        if self._as_json or not (self._is_terminal or time.monotonic() - self._shown >= LINE_SECONDS):
            return
        self._shown = time.monotonic()
        landed, more = landed_and_needed(sweep, self._policy)
        if self._landed_before is None:
            self._landed_before = landed
        rate = (landed - self._landed_before) / max(time.monotonic() - self._began, 1e-3)
        left = _time_left(more, rate, sweep.ends.seconds_left)
        text = f"{sweep.tally.made:,} cuts, {landed:,} landed, {60 * rate:.1f} a minute, {left}"
        if self._is_terminal:
            update_progress(f"{text:79}", last=False)
        else:
            print_status(text)

    def close(self) -> None:
        """No more comes."""
        if self._is_terminal and not self._as_json:
            update_progress("", last=True)


def landed_and_needed(sweep: BoardSweep, policy: Policy) -> tuple[int, int]:
    """Landed cuts so far, and how many more the policy needs."""
    judged = sweep.tally.judged(policy, sweep.strata).values()
    counts = sweep.tally.counts(sweep.strata).values()
    return sum(len(one.needed_hand) for one in counts), sum(one.more for one in judged)


def _time_left(more: int, rate: float, budget: float) -> str:
    """Until the bound is met at this rate, or until the budget ends where that is sooner."""
    if more == 0:
        return "every bound is met"
    to_bound = more / rate if rate > 0 else float("inf")
    if budget < to_bound:
        return f"{_duration(budget)} of the budget left, {more:,} more to the bound"
    return f"{_duration(to_bound)} to the bound" if rate > 0 else f"{more:,} more to the bound"


def _duration(seconds: float) -> str:
    minutes = max(seconds, 0) / 60
    return f"{minutes / 60:.1f} h" if minutes >= 100 else f"{minutes:.0f} min"


def show_end(
    sweep: BoardSweep, verdict: Verdict, report: Path, head: str | None, *, interrupted: bool, as_json: bool
) -> int:
    """Print what it came to; returns the exit status."""
    from rig.errors import LabFault

    status = verdict.status or (LabFault.exit_status if interrupted else 0)
    if as_json:
        print_json(_document(sweep, verdict, report, head, status, interrupted=interrupted))
        return status
    _show_table(sweep)
    for swept in sweep.tally.disagreements:
        print_lines(f"disagreement: {swept.capsule}", f"  the model: rig replay '{swept.model_capsule}'")
    print_lines(*verdict.reasons)
    if interrupted:
        print_lines("ended by a signal: --resume goes on")
    print_lines(f"report: {report}", *([f"ledger head: {head}"] if head is not None else []))
    return status


def _show_table(sweep: BoardSweep) -> None:
    from rig.terminal.tables import grid, show_whole

    counts = sweep.tally.counts(sweep.strata)
    judged = sweep.tally.judged(sweep.policy, sweep.strata)
    columns = ("tier", "board", "path", "phase", "aimed", "landed", "elsewhere", "inferred", "missed", "needs a hand")
    table = grid(*columns, "at most", "tolerated", "verdict", title="Cuts on boards")
    for stratum, one in judged.items():
        its = counts[stratum]
        table.add_row(
            *(stratum.tier, " ".join(filter(None, (stratum.board, stratum.variant))), stratum.path, stratum.phase),
            *(f"{number:,}" for number in (its.aimed, *_by_fate(its.fell))),
            f"{one.failures:,}",
            "" if one.bound is None else f"{one.bound:.3%}",
            f"{one.tolerated:.3%}",
            _word(one),
        )
    show_whole(table)
    if apart := sum(its.needed_hand_apart for its in counts.values()):
        print_lines(f"in no bound, as their cuts did not land where they were aimed: {apart:,} that needed a hand")
    if suspect := sum(its.suspect for its in counts.values()):
        print_lines(f"do not count, as their boards failed the control cut after them: {suspect:,}")


def _by_fate(fell: Any) -> list[int]:
    from rig.board_sweep.stratum import Fell

    return [fell[fate] for fate in Fell]


def _word(one: Judged) -> str:
    return f"{one.word}: {one.more:,} more" if one.more else one.word


def _document(
    sweep: BoardSweep, verdict: Verdict, report: Path, head: str | None, status: int, *, interrupted: bool
) -> dict[str, Any]:
    from dataclasses import asdict

    counts = sweep.tally.counts(sweep.strata)
    return {
        "report": str(report),
        "head": head,
        "cuts": sweep.tally.made,
        "strata": [
            {
                **stratum._asdict(),
                "aimed": counts[stratum].aimed,
                **{fate.value: counts[stratum].fell[fate] for fate in _fates()},
                "suspect": counts[stratum].suspect,
                "late": counts[stratum].late,
                "dead": counts[stratum].dead,
                "needed_hand": one.failures,
                "needed_hand_apart": counts[stratum].needed_hand_apart,
                "bound": one.bound,
                "tolerated": one.tolerated,
                "verdict": one.word,
                "more": one.more,
            }
            for stratum, one in sweep.tally.judged(sweep.policy, sweep.strata).items()
        ],
        "disagreements": [
            {"place": swept.place, "capsule": swept.capsule, "model_capsule": swept.model_capsule}
            for swept in sweep.tally.disagreements
        ],
        "faults": [asdict(fault) for fault in sweep.faults],
        "reasons": verdict.reasons,
        "interrupted": interrupted,
        "exit_status": status,
    }


def _fates() -> Any:
    from rig.board_sweep.stratum import Fell

    return Fell
