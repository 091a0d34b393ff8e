"""`rig up`: the virtual rack until Ctrl-C."""

from __future__ import annotations

import contextlib
import signal
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer

from rig.errors import LabFault, Misuse
from rig.files import real
from rig.terminal.output import print_error, print_result
from rig.terminal.twin_options import TIME_SCALE

#: How often it is seen whether a part has died.
LOOK_EVERY_SECONDS = 0.2


def up(
    boards: Annotated[
        list[str] | None,
        typer.Option(metavar="KIND=N", help="N boards of a kind, of any family that is installed; may be repeated."),
    ] = None,
    time_scale: TIME_SCALE = 1.0,
    generation: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Bootloader of blank boards that have it in generations; `rig twin KIND --help` tells them.",
        ),
    ] = None,
    online: Annotated[
        bool,
        typer.Option("--online", help="Boards that can be without a network know one, and go to their server."),
    ] = False,
    state: Annotated[Path | None, typer.Option(help="Folder that keeps the boards' flash between runs.")] = None,
    manifest: Annotated[
        Path | None, typer.Option(help="Manifest of the boards' firmware; the rig's own if not given.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON line when ready.")] = False,
) -> None:
    """Start the virtual rack: twins, relay, labgrid exporter and coordinator. Ctrl-C ends it.

    Prints what to paste for [b]labgrid-client[/b]; every place there can be listed, acquired, switched and released.
    A part that dies is named, the others go on, and it is started again on the same ports. The exit status is 3 then.
    """
    import time

    from rig.rack.boards import read_boards
    from rig.rack.plan import RackPlan
    from rig.rack.rack import VirtualRack

    signals: list[int] = []  # an Event may hold its lock just when the handler wants it, for ever
    wanted = read_boards(boards or ())
    if not wanted:
        raise Misuse("a rack without boards", hint="--boards KIND=N")
    tags = {**({"generation": generation.lower()} if generation else {}), **({"wifi": "joined"} if online else {})}
    plan = RackPlan.of(wanted, time_scale, tags, manifest)
    _when_told_to_end(_give_up)
    mourned: set[int] = set()
    with contextlib.suppress(KeyboardInterrupt), VirtualRack(plan, state=real(state) if state else None) as rack:
        _when_told_to_end(lambda number, _frame: signals.append(number))
        print_result(as_json, rack.ready_line(), *_welcome(rack))
        while not signals:
            for child in rack.dead():
                if child.process.pid not in mourned:
                    mourned.add(child.process.pid)
                    print_error(child.exit_description())
            rack.revive()
            time.sleep(LOOK_EVERY_SECONDS)
    if mourned:
        raise typer.Exit(LabFault.exit_status)


def _when_told_to_end(do: Any) -> None:
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, do)


def _give_up(_number: int, _frame: Any) -> NoReturn:
    """End a start that is under way; nothing more disturbs that end."""
    _when_told_to_end(signal.SIG_IGN)
    raise KeyboardInterrupt


def _one_of_each(rack: Any) -> list[str]:
    """The first place of each kind of board."""
    return list({rack.slots[place].kind: place for place in reversed(rack.places)}.values())[::-1]


def _welcome(rack: Any) -> list[str]:
    from rig.drivers.stock_verbs import console_needs

    first = rack.places[0]
    buttons = rack.slots[first].lines[1:2]
    shown = [(rack.slots[place], rack.boards[place]) for place in _one_of_each(rack)]
    lines = [
        f"Virtual rack is up: {', '.join(rack.places)}. Ctrl-C ends it. Paste into another shell:",
        "",
        f"  export LG_COORDINATOR={rack.coordinator}",
        "  labgrid-client places",
        f"  labgrid-client -p {first} acquire",
        f"  labgrid-client -p {first} power cycle",
        *(
            f"  labgrid-client -p {first} io high {button}     # hold the {button.upper()} button; `low` lets go"
            for button in buttons
        ),
        f"  labgrid-client -p {first} console      # {console_needs()}",
        f"  labgrid-client -p {first} release",
        "",
        "Without labgrid:",
        "",
        *(f"  {line}" for slot, ready_line in shown for line in slot.local_commands(ready_line)),
    ]
    for slot, ready_line in shown:
        if over := slot.server_commands(ready_line, rack.servers):
            lines += ["", *(f"  {line}" for line in over)]
    return lines
