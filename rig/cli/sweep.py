"""`rig sweep`: every cut of an update on the model, and what becomes of the board after each."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rig.cli.sweep_many import sweep_many
from rig.cli.sweep_output import progress_bar, rows_bar, show, show_rows
from rig.terminal.lab_options import COORDINATOR
from rig.terminal.output import print_json, print_lines, print_status

if TYPE_CHECKING:
    from rig.firmware.manifest import Image
    from rig.sweep.kept_sweep import KeptSweep
    from rig.sweep.plan import SweepPlan
    from rig.sweep.rows import RowSweep
    from rig.sweep.workers import Workers


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
    exhaustive: Annotated[bool, typer.Option("--exhaustive", help="Start a board whole after every cut.")] = False,
    cuts: Annotated[
        int, typer.Option(min=1, max=3, metavar="1|2|3", help="2, 3: cut again in what the board does after the cut.")
    ] = 1,
    report: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Folder for the map and all results; nothing is kept else.")
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the sweep in --report that was ended.")] = False,
    scheduler: Annotated[
        str | None, typer.Option(metavar="tcp://HOST:PORT", help="Sweep on the workers of this Dask scheduler.")
    ] = None,
    place: Annotated[
        list[str] | None, typer.Option(metavar="PLACE", help="Cut the board in this place; may be repeated.")
    ] = None,
    rack: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Cut boards that this labgrid environment reaches.")
    ] = None,
    coordinator: COORDINATOR = None,
    until: Annotated[
        str | None, typer.Option(metavar="POLICY", help="Boards: cut until this policy is kept; `default` is ours.")
    ] = None,
    budget: Annotated[str | None, typer.Option(metavar="TIME", help="Boards: cut so long, such as 30m or 2h.")] = None,
    most: Annotated[int | None, typer.Option(min=1, metavar="N", help="Boards: make so many cuts, all told.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Cut an update before every flash operation of it, and in every one, on the model.

    Boards start after every cut; those that cannot differ from one that was started are not started again, and a
    number of them is to prove it. What a family lets choose is an option, too: `rig sweep KIND` lists them. `all` in
    place of a path, or of a choice's value, sweeps each that there is.

    Exit status: 0 when it is done, whatever became of the boards; 3 when the proof fails.

    With --place or --rack real boards are cut by their relays, each by every path or those that are named. Exit status
    then: 0 every bound is met; 1 a board died, became what the model does not say, or too many need a hand; 3 the lab
    broke, or more cuts are needed.
    """
    from rig.errors import Misuse
    from rig.sweep.campaign import Campaign
    from rig.sweep.kept_sweep import KeptSweep
    from rig.sweep.plans import asks_for_many
    from rig.sweep.rows import RowSweep

    if place or rack is not None:
        from rig.cli.board_sweep import BoardSweepOptions, sweep_boards

        asked, ending = (kind, path, place or [], rack, coordinator), (until, budget, most)
        sweep_boards(BoardSweepOptions(*asked, *ending, manifest, seed, report, resume, as_json), context.args)
        return
    if kind is None:
        _list_kinds(as_json)
        return
    if path is None:
        _list_paths(kind, as_json)
        return
    chosen, proofs = _choices(context.args), None if exhaustive else prove
    if resume and report is None:
        raise Misuse("--resume needs the folder of the sweep", hint="--report DIR")
    if resume and cuts > 1 and not asks_for_many(path, chosen):
        raise Misuse("--resume of cuts in a row is for many plans: one is kept when it is done", hint="leave it away")
    plans = _plans(kind, path, chosen, _images(kind, manifest, old, new), tears, seed)
    with _workers(scheduler, jobs) as workers:
        if asks_for_many(path, chosen):
            sweep_many(kind, plans, Campaign(workers, cuts, proofs, report, resume), as_json=as_json)
        elif cuts > 1:
            _sweep_rows(RowSweep(plans[0], cuts), workers, report, proofs, as_json=as_json)
        else:
            _sweep(KeptSweep(plans[0], workers, report, resume=resume), proofs, as_json=as_json)


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
        choices = {path: {name: list(some) for name, some in sweeps.choices(path).items()} for path in sweeps.paths}
        print_json({"kind": kind, "paths": dict(sweeps.paths), "choices": choices})
        return
    for path, title in sweeps.paths.items():
        print_lines(f"rig sweep {kind} {path}: {title}")
        print_lines(*(f"  --{name} {'|'.join(values)}" for name, values in sweeps.choices(path).items()))


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
    from rig.firmware.run_firmware import checked_firmware
    from rig.registry import checked_kind
    from rig.sweep.plan import images_of
    from rig.sweep.user_image import user_image

    images = images_of(checked_kind(kind), checked_firmware(manifest))
    for role, file in (("old", old), ("new", new)):
        if file is not None:
            images[role] = user_image(kind, role, file)
    return images


def _plans(
    kind: str, path: str, choices: Mapping[str, str], images: Mapping[str, Image], tears: str | None, seed: int
) -> list[SweepPlan]:
    from rig.sweep.cut_points import TEARS, checked_tears
    from rig.sweep.plans import plans_of

    torn = checked_tears([name for name in tears.split(",") if name]) if tears is not None else TEARS
    return plans_of(kind, path, choices, images, torn, seed)


@contextmanager
def _workers(scheduler: str | None, jobs: int | None) -> Iterator[Workers]:
    """This machine's processes, or a cluster's."""
    from rig.errors import Misuse
    from rig.sweep.cluster.connect import connected
    from rig.sweep.workers import ThisMachine

    if scheduler is None:
        yield ThisMachine(jobs)
        return
    if jobs is not None:
        raise Misuse("--jobs is of this machine: a scheduler has its workers", hint="leave it out")
    with connected(scheduler) as cluster:
        yield cluster


def _sweep(sweep: KeptSweep, proofs: int | None, *, as_json: bool) -> None:
    began, whole = time.monotonic(), sweep.whole
    with progress_bar(whole, as_json) as advance:
        for result in sweep.results():
            advance(result.end - result.begin)
    swept = time.monotonic() - began
    proved = whole.prove(whole.progress.points if proofs is None else proofs)
    sweep.draw()
    show(whole, swept, proved, sweep.folder, as_json=as_json)


def _sweep_rows(sweep: RowSweep, workers: Workers, report: Path | None, proofs: int | None, *, as_json: bool) -> None:
    from rig.sweep.rows_report import checked_folder, write_rows

    folder = checked_folder(report) if report is not None else None
    began = time.monotonic()
    with rows_bar(sweep, as_json) as advance:
        for result in workers.sweep_rows(sweep):
            advance(result.end - result.begin)
    swept = time.monotonic() - began
    proved, groups = sweep.prove(proofs), sweep.groups
    written = write_rows(folder, sweep.plan, groups) if folder is not None else None
    show_rows(sweep.plan, groups, sweep.starts, swept, proved, as_json=as_json)
    if written is not None:
        print_status(f"rows: {written}")
