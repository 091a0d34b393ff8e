"""`rig report`: a run's result shown again, and the report of a run that was killed."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from rig.terminal.output import print_json, print_lines


def report(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Report folder of a run.")],
    rebuild: Annotated[
        bool, typer.Option("--rebuild", help="Write summary, cut maps, JUnit and Allure's head from what lies there.")
    ] = False,
    verbose: Annotated[
        bool, typer.Option("-v", "--verbose", help="Show all tests, not only those that need a look.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Show again what a run came to.

    After a kill, [b]--rebuild[/b] ends the run's ledger and writes its report from what the run left.
    The exit status is the run's, the first that applies: 2 misuse, 1 device fault, 3 lab fault or no end; 0 passed.
    """
    from dataclasses import asdict

    from rig.evidence.rebuild import head_in, rebuild_report, shown

    record = rebuild_report(folder) if rebuild else shown(folder)
    head = head_in(folder)
    if as_json:
        results = [asdict(result) for result in record.results]
        print_json({**record.to_dict(), "results": results, "report": str(folder), "head": head})
    elif sys.stdout.isatty():
        from rig.cli.run_end import show_end
        from rig.terminal.tables import console

        show_end(record, folder, head, verbose=verbose, to=console())
    else:
        from rig.cli.run_lines import end_lines

        print_lines(*end_lines(record, folder, head, verbose=verbose))
    raise typer.Exit(record.verdict.status)
