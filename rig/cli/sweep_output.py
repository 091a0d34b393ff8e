"""What `rig sweep` prints and draws: progress, tables, one JSON object, and the map."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rig.terminal.output import print_json, print_lines, print_status

if TYPE_CHECKING:
    from rig.sweep.brick_map import Window
    from rig.sweep.cuts_in_a_row import LastCuts
    from rig.sweep.discoveries import Discovery
    from rig.sweep.plan import SweepPlan
    from rig.sweep.rows import RowSweep
    from rig.sweep.scenario import Settled
    from rig.sweep.sweep import ModelSweep

#: Windows that a terminal shows; a report has all.
MOST_WINDOWS = 12


@contextmanager
def progress_bar(whole: ModelSweep, as_json: bool) -> Iterator[Callable[[int], None]]:
    """Cuts, rate and time left on a terminal; called with the operations of each chunk that is done."""
    began, before = time.monotonic(), whole.progress.points

    def rate() -> str:
        cuts = (whole.progress.points - before) / max(time.monotonic() - began, 1e-3)
        return f"{cuts:,.0f} cuts/s"

    with _bar(whole.scenario.update.operations + 1, whole.progress.operations, rate, as_json) as advance:
        yield advance


@contextmanager
def rows_bar(whole: RowSweep, as_json: bool) -> Iterator[Callable[[int], None]]:
    """The same for rows of cuts: operations of first cuts, and boards that were started."""
    with _bar(whole.first_cuts, 0, lambda: f"{whole.starts:,} boards started", as_json) as advance:
        yield advance


@contextmanager
def _bar(total: int, done: int, told: Callable[[], str], as_json: bool) -> Iterator[Callable[[int], None]]:
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    from rig.terminal.tables import console

    if as_json:
        yield lambda _operations: None
        return
    columns = (TextColumn("operations"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[told]}"))
    with Progress(*columns, TimeRemainingColumn(), console=console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=total, completed=done, told="")
        yield lambda operations: bar.update(task, advance=operations, told=told())


def show_rows(
    plan: SweepPlan, groups: Sequence[LastCuts], starts: int, swept: float, proved: int, *, as_json: bool
) -> None:
    """What became of boards that were cut several times, with cuts that show it for each end."""
    from rig.sweep.cuts_in_a_row import ends_of

    ends = ends_of(plan, groups)
    points, cuts = sum(end.points for end in ends), len(groups[0].earlier) + 1
    if as_json:
        told = [
            {"became": end.settled.became, "rung": end.settled.rung, "points": end.points, "capsule": end.capsule}
            for end in ends
        ]
        print_json(
            {
                **plan.to_dict(),
                "cuts": cuts,
                "points": points,
                "starts": starts,
                "seconds": swept,
                "proved": proved,
                "outcomes": told,
            }
        )
        return
    _show_ends(plan, [(end.settled, end.points) for end in ends])
    print_lines(
        f"{points:,} times {cuts} cuts in a row; {starts:,} boards were started for them in {swept:.1f} s, "
        f"and {proved:,} more to prove it",
        *(f"rig replay '{end.capsule}'" for end in ends if end.settled.rung != "self"),
    )


def show(whole: ModelSweep, swept: float, proved: int, report: Path | None, *, as_json: bool) -> None:
    """What became of boards after every cut, and where an update must not lose power."""
    from rig.sweep.brick_map import brick_map

    progress, update = whole.progress, whole.scenario.update
    windows = brick_map(update, progress.spans, whole.scenario.memory().seconds)
    if as_json:
        print_json(_document(whole, windows, swept, proved))
        return
    _show_ends(whole.plan, progress.count().most_common())
    _show_windows(windows)
    if found := _discoveries(whole):
        print_lines("beside what is documented:", *(f"  {each}" for each in found))
    print_lines(
        f"{progress.points:,} cuts of {update.operations:,} operations; {progress.starts:,} boards were started for "
        f"them in {swept:.1f} s, and {proved:,} more to prove it"
    )
    if report is not None:
        print_status(f"map: {report / 'map.svg'}")


def _document(whole: ModelSweep, windows: Sequence[Window], swept: float, proved: int) -> dict[str, Any]:
    from rig.sweep.capsule import Capsule

    progress = whole.progress
    return {
        **whole.plan.to_dict(),
        "operations": whole.scenario.update.operations,
        "points": progress.points,
        "starts": progress.starts,
        "seconds": round(swept, 3),
        "proved": proved,
        "outcomes": [
            {"became": settled.became, "rung": settled.rung, "points": count}
            for settled, count in progress.count().most_common()
        ],
        "windows": [
            {
                "became": window.settled.became,
                "rung": window.settled.rung,
                "phase": window.phase,
                "first": window.first,
                "last": window.last,
                "operations": window.operations,
                "bytes": window.bytes,
                "milliseconds": round(window.milliseconds, 3),
                "share": round(window.share, 6),
                "capsule": str(Capsule.of(whole.plan, ((window.first, window.tear),), window.settled)),
            }
            for window in windows
        ],
        "discoveries": [each.to_dict() for each in _discoveries(whole)],
        "spans": [span.to_dict() for span in progress.spans],
    }


def _discoveries(whole: ModelSweep) -> list[Discovery]:
    from rig.sweep.discoveries import discoveries
    from rig.sweep.family import sweeps_of

    plan = whole.plan
    documented = sweeps_of(plan.kind).documented(plan.path, plan.choices)
    return discoveries(plan, whole.scenario.update, whole.progress.spans, documented)


def _show_ends(plan: SweepPlan, ends: Sequence[tuple[Settled, int]]) -> None:
    from rig.terminal.tables import grid, show_whole

    chosen = ", ".join(f"{name} {value}" for name, value in plan.choices.items())
    table = grid("becomes", "healed by", "cuts", "share", title=f"{plan.kind} {plan.path} {chosen}".rstrip())
    points = sum(count for _, count in ends)
    for settled, count in ends:
        table.add_row(settled.became, settled.rung, f"{count:,}", f"{count / points:.3%}")
    show_whole(table)


def _show_windows(windows: Sequence[Window]) -> None:
    from rig.terminal.tables import grid, show_whole

    if not windows:
        print_lines("no cut leaves a board that needs a hand")
        return
    table = grid("needs a hand", "healed by", "phase", "operations", "bytes", "ms", "of the update")
    for window in windows[:MOST_WINDOWS]:
        table.add_row(
            window.settled.became,
            window.settled.rung,
            window.phase,
            f"{window.first:,}" if window.first == window.last else f"{window.first:,} to {window.last:,}",
            f"{window.bytes:,}",
            f"{window.milliseconds:,.1f}",
            f"{window.share:.3%}",
        )
    show_whole(table)
    if len(windows) > MOST_WINDOWS:
        print_lines(f"and {len(windows) - MOST_WINDOWS} more windows: --report DIR has all")
