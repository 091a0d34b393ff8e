"""`rig sweep`: every cut of an update on the model, and what becomes of the board after each."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rig.terminal.output import print_json, print_lines, print_status

if TYPE_CHECKING:
    from rig.firmware.manifest import Image
    from rig.sweep.brick_map import Window
    from rig.sweep.plan import SweepPlan
    from rig.sweep.sweep import ModelSweep

#: Windows that a terminal shows; a report has all.
MOST_WINDOWS = 12


def sweep(
    context: typer.Context,
    kind: Annotated[str | None, typer.Argument(help="Kind of board; all kinds are listed without one.")] = None,
    path: Annotated[str | None, typer.Argument(help="Update path; those of KIND are listed without one.")] = None,
    old: Annotated[Path | None, typer.Option(metavar="FILE", help="The application that runs before.")] = None,
    new: Annotated[Path | None, typer.Option(metavar="FILE", help="The application that the update brings.")] = None,
    manifest: Annotated[Path | None, typer.Option(help="Manifest of firmware; the rig's own if not given.")] = None,
    tears: Annotated[
        str | None, typer.Option(metavar="LIST", help="How operations are left half done; every sensible way else.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Of the tears.")] = 0,
    jobs: Annotated[
        int | None, typer.Option(min=1, max=256, metavar="N", help="Processes; one a processor if not given.")
    ] = None,
    prove: Annotated[
        int, typer.Option(min=0, max=10_000_000, metavar="N", help="Start boards whole after N cuts drawn at random.")
    ] = 200,
    exhaustive: Annotated[bool, typer.Option(help="Start a board whole after every cut.")] = False,
    report: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Folder for the map and all results; nothing is kept else.")
    ] = None,
    resume: Annotated[bool, typer.Option(help="Go on with the sweep in --report that was ended.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Cut an update before every flash operation of it, and in every one, on the model.

    Boards start after every cut; those that cannot differ from one that was started are not started again, and a
    number of them is to prove it. What a family lets choose is an option, too: `rig sweep KIND` lists them.

    Exit status: 0 when it is done, whatever became of the boards; 3 when the proof fails.
    """
    if kind is None:
        _list_kinds(as_json)
        return
    if path is None:
        _list_paths(kind, as_json)
        return
    plan = _plan(kind, path, _choices(context.args), _images(kind, manifest, old, new), tears, seed)
    _sweep(plan, jobs, report, resume, None if exhaustive else prove, as_json=as_json)


def _list_kinds(as_json: bool) -> None:
    from rig import registry

    if as_json:
        print_json({"kinds": list(registry.kinds())})
        return
    print_lines(*(f"rig sweep {kind}" for kind in registry.kinds()))


def _list_paths(kind: str, as_json: bool) -> None:
    from rig.sweep.family import sweeps_of

    sweeps = sweeps_of(kind)
    if as_json:
        choices = {name: list(values) for name, values in sweeps.choices.items()}
        print_json({"kind": kind, "paths": dict(sweeps.paths), "choices": choices})
        return
    width = max(map(len, sweeps.paths), default=0)
    print_lines(*(f"rig sweep {kind} {name:{width}}  {title}" for name, title in sweeps.paths.items()))
    print_lines(*(f"  --{name} {'|'.join(values)}" for name, values in sweeps.choices.items()))


def _choices(words: Sequence[str]) -> dict[str, str]:
    """`--NAME VALUE` and `--NAME=VALUE`, which only a family knows."""
    from rig.errors import Misuse

    chosen, rest = {}, list(words)
    while rest:
        name, equals, value = rest.pop(0).partition("=")
        if not name.startswith("--") or (not equals and not rest):
            raise Misuse(f"{name!r} is not understood", hint="rig sweep --help")
        chosen[name[2:]] = value if equals else rest.pop(0)
    return chosen


def _images(kind: str, manifest: Path | None, old: Path | None, new: Path | None) -> dict[str, Image]:
    """By role: those of the manifest, and files in place of two of them."""
    from rig.firmware.run_firmware import load_firmware
    from rig.registry import checked_kind
    from rig.sweep.family import sweeps_of
    from rig.sweep.user_image import user_image

    roles = load_firmware(manifest).roles(checked_kind(kind))
    images = {role: image for role, image in roles.items() if role in sweeps_of(kind).roles}
    for role, file in (("old", old), ("new", new)):
        if file is not None:
            images[role] = user_image(kind, role, file)
    return images


def _plan(
    kind: str, path: str, choices: Mapping[str, str], images: Mapping[str, Image], tears: str | None, seed: int
) -> SweepPlan:
    from rig.sweep.cut_points import TEARS, checked_tears
    from rig.sweep.family import checked_choices, checked_path, sweeps_of
    from rig.sweep.plan import SweepPlan

    sweeps = sweeps_of(kind)
    chosen = checked_tears([name for name in tears.split(",") if name]) if tears is not None else TEARS
    return SweepPlan(
        kind, checked_path(sweeps, kind, path), checked_choices(sweeps, kind, choices), images, chosen, seed
    )


def _sweep(
    plan: SweepPlan, jobs: int | None, report: Path | None, resume: bool, prove: int | None, *, as_json: bool
) -> None:
    from rig.errors import Misuse
    from rig.sweep.ledger import SweepLedger
    from rig.sweep.sweep import ModelSweep, usual_jobs

    if resume and report is None:
        raise Misuse("--resume needs the folder of the sweep", hint="--report DIR")
    began, whole = time.monotonic(), ModelSweep(plan)
    ledger = SweepLedger(report, plan) if report is not None else None
    if ledger is not None:
        if resume:
            for result in ledger.resume():
                whole.progress.add(result)
        else:
            ledger.begin()
    with _progress_bar(whole, as_json) as advance:
        for result in whole.run(jobs or usual_jobs()):
            if ledger is not None:
                ledger.add(result)
            advance(result.end - result.begin)
    swept = time.monotonic() - began
    proved = whole.prove(whole.progress.points if prove is None else prove)
    if ledger is not None:
        ledger.close()
    _show(whole, swept, proved, report, as_json=as_json)


@contextmanager
def _progress_bar(whole: ModelSweep, as_json: bool) -> Iterator[Callable[[int], None]]:
    """Cuts, rate and time left on a terminal; called with the operations of each chunk that is done."""
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    from rig.terminal.tables import console

    if as_json:
        yield lambda _operations: None
        return
    columns = (TextColumn("operations"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[rate]}"))
    with Bar(*columns, TimeRemainingColumn(), console=console(stderr=True), transient=True) as bar:
        total, began, before = whole.scenario.update.operations + 1, time.monotonic(), whole.progress.points
        task = bar.add_task("", total=total, completed=whole.progress.operations, rate="")

        def advance(operations: int) -> None:
            rate = (whole.progress.points - before) / max(time.monotonic() - began, 1e-3)
            bar.update(task, advance=operations, rate=f"{rate:,.0f} cuts/s")

        yield advance


def _show(whole: ModelSweep, swept: float, proved: int, report: Path | None, *, as_json: bool) -> None:
    from rig.sweep.brick_map import brick_map

    progress, update = whole.progress, whole.scenario.update
    windows = brick_map(update, progress.spans, whole.scenario.memory().seconds)
    if report is not None:
        _write_picture(whole, report)
    if as_json:
        print_json(_document(whole, windows, swept, proved))
        return
    _show_table(whole)
    _show_windows(windows)
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
        "spans": [span.to_dict() for span in progress.spans],
    }


def _show_table(whole: ModelSweep) -> None:
    from rig.terminal.tables import grid, show_whole

    plan = whole.plan
    chosen = ", ".join(f"{name} {value}" for name, value in plan.choices.items())
    table = grid("becomes", "healed by", "cuts", "share", title=f"{plan.kind} {plan.path} {chosen}".rstrip())
    points = whole.progress.points
    for settled, count in whole.progress.count().most_common():
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


def _write_picture(whole: ModelSweep, report: Path) -> None:
    from rig.files import write_user_file
    from rig.sweep.picture import draw_sweep

    plan, progress = whole.plan, whole.progress
    chosen = " ".join(f"{name} {value}" for name, value in plan.choices.items())
    below = [
        f"{progress.points:,} cuts of {whole.scenario.update.operations:,} operations, every one of them; an update "
        "goes on to the right",
        f"{plan.images['old'].name} to {plan.images['new'].name}",
    ]
    picture = draw_sweep(
        whole.scenario.update, progress.spans, f"Every cut: {plan.kind} {plan.path} {chosen}".rstrip(), below
    )
    write_user_file(report / "map.svg", picture.encode())
