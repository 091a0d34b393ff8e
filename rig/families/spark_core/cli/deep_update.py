"""`rig deep-update`: an update below the firmware, with somebody's consent and no other way."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from rig.errors import Misuse
from rig.terminal.lab_options import COORDINATOR, RACK
from rig.terminal.output import print_json, print_lines, print_status


def deep_update(
    place: Annotated[str, typer.Argument(help="labgrid place of the Core.")],
    consent: Annotated[str, typer.Option(metavar="WHO", help="Who answers for the board.")] = "",
    name: Annotated[str, typer.Option(help="Which deep update.")] = "cc3000-1.28",
    ledger: Annotated[
        Path, typer.Option(help="Ledger with the board's updates so far; consent and result are written there.")
    ] = Path("deep-updates.jsonl"),
    updates: Annotated[
        Path | None, typer.Option(help="Description of deep updates; the rig's own if not given.")
    ] = None,
    manifest: Annotated[Path | None, typer.Option(help="Manifest of firmware; the rig's own if not given.")] = None,
    coordinator: COORDINATOR = None,
    rack: RACK = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Rewrite the memory of a Core's radio. Shows what it does first; without --consent it does nothing else.

    It goes over the air when the ledger says that the board's last updates were applied, else over USB.
    """
    from rig.families.spark_core.firmware.deep_updates import load_deep_updates
    from rig.firmware.checkout import part

    path = updates or part("firmware-fixtures", "deep-updates.toml")
    known = load_deep_updates(path)
    if name not in known:
        raise Misuse(f"no deep update is called {name!r}", hint=f"{path} knows {', '.join(known) or 'none'}")
    plan = known[name]
    print_status(f"{plan.name} on {place}:", *plan.instructions.strip().splitlines(), "")
    if not consent.strip():
        raise Misuse("nobody consents: nothing was sent", hint="--consent NAME, by whoever answers for the board")
    from rig.families.spark_core.lab.deep_update import update_place
    from rig.lab.lab import Lab

    done = update_place(
        Lab.named(coordinator, rack),
        place,
        plan,
        consent=consent,
        ledger=ledger,
        manifest=manifest,
        note=print_status,
    )
    if as_json:
        print_json({"place": place, "update": plan.name, **asdict(done)})
    else:
        answers = ", ".join(done.functions)
        print_lines(f"{place}: radio {done.radio} over {done.path} after {done.seconds:.0f} s; answers {answers}")
