"""`rig ledger`: whether the evidence of a run is what was written."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rig.terminal.output import print_json, print_lines

if TYPE_CHECKING:
    from rig.evidence.verify import Verified

app = typer.Typer(no_args_is_help=True, help="See that evidence was not changed.")


@app.callback()
def _ledger() -> None:
    """Keeps `verify` a command of its own."""


@app.command()
def verify(
    paths: Annotated[
        list[Path], typer.Argument(metavar="DIR|FILE...", help="Report folders, ledgers' folders, or ledgers.")
    ],
    head: Annotated[
        list[str] | None,
        typer.Option(metavar="HASH", help="What a run or a segment ended in, noted elsewhere; may be repeated."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Check each line of a ledger against the one before, and each segment of a run against its run.json.

    Whoever can write all files of a run can also write them anew, to the last hash. Only a head that was noted
    elsewhere, as `rig run` prints it, shows that: give it with --head.

    Exit status: 0 nothing was changed, 1 something was, 2 misuse, 3 nothing was, but the run did not come to its end.
    """
    from rig.evidence.verify import missing_heads
    from rig.evidence.verify import verify as look

    found = [look(path) for path in paths]
    unmet = list(missing_heads(found, head or ()))
    findings = [*(finding for one in found for finding in one.findings), *unmet]
    status = 1 if findings else 3 if {one.state for one in found} & {"open", "unfinished"} else 0
    if as_json:
        changed = [{"where": one.where, "what": one.what} for one in findings]
        print_json({"ledgers": [one.to_dict() for one in found], "changed": changed, "exit_status": status})
        raise typer.Exit(status)
    for one in found:
        _show(one, is_pinned=bool(head))
    print_lines(*([f"changed: {one.where}: {one.what}" for one in findings] or ["nothing was changed"]))
    raise typer.Exit(status)


_STATES = {"open": "still goes on", "finished": "is finished", "unfinished": "was killed and ended by another command"}


def _show(one: Verified, *, is_pinned: bool) -> None:
    lines = sum(segment.lines for segment in one.segments)
    if one.run is not None:
        print_lines(f"run {one.run} {_STATES[one.state]}: {len(one.segments)} segments, {lines} lines, head {one.head}")
    elif one.segments:
        print_lines(f"{one.path}: {lines} lines, head {one.head or one.segments[0].head}")
        if not is_pinned:
            print_lines("  whether lines are missing at its end only a --head tells that was noted elsewhere")
