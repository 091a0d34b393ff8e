"""`rig run`: the board suites on a rack, with progress, a table, a report folder and a verdict."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def run(
    rack: Annotated[
        str, typer.Option(metavar="virtual|FILE", help="The virtual rack, or a labgrid environment file.")
    ] = "virtual",
    coordinator: Annotated[
        str | None,
        typer.Option(metavar="HOST:PORT", help="Coordinator of --rack FILE; else LG_COORDINATOR."),
    ] = None,
    report: Annotated[
        Path | None, typer.Option(help="Report folder, new or empty; reports/DATE-TIME if not given.")
    ] = None,
    keyword: Annotated[str | None, typer.Option("-k", metavar="EXPR", help="Only tests whose names match.")] = None,
    board: Annotated[str | None, typer.Option(metavar="KIND", help="Only tests for boards of this kind.")] = None,
    boards: Annotated[
        list[str] | None,
        typer.Option(
            metavar="KIND=N",
            help="The virtual rack has at most N boards of this kind, and only kinds that are named; may be repeated. "
            "Without it, the rack has what the tests ask for. A test that no board fits is not run.",
        ),
    ] = None,
    place: Annotated[str | None, typer.Option(metavar="NAME", help="Only the board in this place of --rack.")] = None,
    repeat: Annotated[int, typer.Option(metavar="N", min=1, max=1000, help="Run each test N times.")] = 1,
    timeout: Annotated[
        float | None,
        typer.Option(metavar="S", min=0.1, help="A test may take S seconds; one that takes longer is a device fault."),
    ] = None,
    wait: Annotated[
        float | None,
        typer.Option(metavar="S", min=0.1, help="Wait S seconds for boards that others hold; else a minute."),
    ] = None,
    workers: Annotated[int, typer.Option("-n", min=1, max=64, help="How many boards work at once.")] = 8,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON line an event, the last with the verdict.")
    ] = False,
    verbose: Annotated[
        bool, typer.Option("-v", "--verbose", help="Show all tests at the end, not only those that need a look.")
    ] = False,
    manifest: Annotated[
        Path | None, typer.Option(help="Manifest of the firmware under test; the rig's synthetic images if not given.")
    ] = None,
    long: Annotated[
        bool, typer.Option("--long", "--full", help="Also what takes its time: every generation, phase, row.")
    ] = False,
    allow_destructive: Annotated[
        bool, typer.Option("--allow-destructive", help="Also what destroys boards that are not expendable.")
    ] = False,
    record: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Compare no outcome: write FILE, what is expected from now on.")
    ] = None,
    replace: Annotated[bool, typer.Option("--replace", help="FILE of --record may be there already.")] = False,
    require: Annotated[
        str | None,
        typer.Option(
            metavar="all|N%|FILE",
            help="Status 3 unless so many of all cases there are were run, or each that FILE names, a line each.",
        ),
    ] = None,
    only_list: Annotated[bool, typer.Option("--list", help="Print the tests that would run, and run none.")] = False,
    words: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[FILE…] [-- PYTEST OPTIONS]",
            help="Your own test files instead of the rig's suites; options behind -- are handed to pytest.",
        ),
    ] = None,
) -> None:
    """Run the board suites or your own files: update, cut the power, read back what became of the board.

    Leaves a report folder with [b]summary.md[/b], cut maps, ledger, timelines, JUnit and Allure results.
    The exit status is the verdict, the first that applies: 2 misuse, 1 device fault, 3 lab fault; 0 passed.
    """
    from rig.cli.run_list import list_tests
    from rig.cli.run_output import end_status, output_for
    from rig.suites.request import RunRequest, files_and_options
    from rig.suites.run import run_suites

    files, options = files_and_options(words or [])
    request = RunRequest(
        rack=rack,
        coordinator=coordinator,
        report=report,
        manifest=manifest,
        files=files,
        keyword=keyword,
        board=board,
        boards=tuple(boards or ()),
        place=place,
        repeat=repeat,
        timeout=timeout,
        wait=wait,
        workers=workers,
        long=long,
        allow_destructive=allow_destructive,
        record=record,
        replace=replace,
        require=require,
        extra=options,
    )
    if only_list:
        list_tests(request, as_json)
        return
    show = output_for(as_json=as_json, verbose=verbose)
    with show:
        done = run_suites(request, show.listen)
    show.finish(done)
    raise typer.Exit(end_status(done, show.out))
