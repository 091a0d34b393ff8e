"""`rig sweep` of many plans: a line for each of them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

import typer

from rig.terminal.output import print_error, print_json

if TYPE_CHECKING:
    from rig.sweep.campaign import Campaign, PlanLine
    from rig.sweep.plan import SweepPlan

#: Exit statuses of errors, the first that applies.
STATUSES = (2, 1, 3)


def sweep_many(kind: str, plans: Sequence[SweepPlan], campaign: Campaign, *, as_json: bool) -> None:
    """Sweep one plan after the other, and print what each came to; what was done is printed though the rest is lost.

    Raises WorkersLost, and typer.Exit with the status of what failed.
    """
    from rig.sweep.campaign import FailedPlan, PlanLine, title_of

    began, done, failed = time.monotonic(), list[PlanLine](), list[FailedPlan]()
    try:
        with _plans_bar(len(plans), as_json) as advance:
            for line in campaign.lines(plans):
                if isinstance(line, FailedPlan):
                    failed.append(line)
                else:
                    done.append(line)
                advance()
    finally:
        if done and not as_json:
            _show(kind, done, campaign.cuts)
    if as_json:
        told = [line.to_dict() for line in done] + [line.to_dict() for line in failed]
        print_json({"kind": kind, "cuts": campaign.cuts, "seconds": time.monotonic() - began, "plans": told})
    for line in failed:
        print_error(f"{title_of(line.plan)}: {line.error}")
    if failed:
        raise typer.Exit(min((line.exit_status for line in failed), key=STATUSES.index))


@contextmanager
def _plans_bar(total: int, as_json: bool) -> Iterator[Callable[[], None]]:
    """Plans that are done, and time left, on a terminal."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    from rig.terminal.tables import console

    if as_json:
        yield lambda: None
        return
    columns = (TextColumn("plans"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    shown = console(stderr=True)
    with Progress(*columns, console=shown, transient=True, disable=not shown.is_terminal) as bar:
        task = bar.add_task("", total=total)
        yield lambda: bar.advance(task)


def _show(kind: str, lines: Sequence[PlanLine], cuts: int) -> None:
    from rig.terminal.tables import grid, show_whole

    counted = "cuts" if cuts == 1 else f"times {cuts} cuts"
    columns = ("path", "choices", "operations", counted, "boards started", "needs a hand", "share", "seconds")
    table = grid(*columns, title=f"{kind}, plan by plan")
    for line in lines:
        table.add_row(
            line.plan.path,
            ", ".join(f"{name} {value}" for name, value in line.plan.choices.items()),
            f"{line.operations:,}",
            f"{line.points:,}",
            f"{line.starts:,}",
            f"{line.needs_hand:,}",
            f"{line.share:.3%}",
            f"{line.seconds:.1f}",
        )
    show_whole(table)
