"""`rig up`: the virtual rack until Ctrl-C."""

from __future__ import annotations

import contextlib
import signal
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer

from rig.cli.show import complain, tell
from rig.cli.twin_options import GENERATION, TIME_SCALE, Generation
from rig.errors import LabFault, Misuse
from rig.files import real

#: How often it is seen whether a part has died.
LOOK_EVERY_SECONDS = 0.2


def up(
    cores: Annotated[int, typer.Option(min=0, max=200, help="How many Spark Cores.")] = 2,
    esp32s: Annotated[int, typer.Option("--esp32s", min=0, max=200, help="How many ESP32s.")] = 0,
    time_scale: TIME_SCALE = 1.0,
    generation: Annotated[Generation, GENERATION] = Generation.B,
    online: Annotated[
        bool,
        typer.Option("--online", help="Cores know a network: they go to the rack's Spark cloud."),
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

    from rig.lab.core_slot import CoreSlot
    from rig.lab.esp32_slot import Esp32Slot
    from rig.lab.rack import RackPlan, VirtualRack

    signals: list[int] = []  # an Event may hold its lock just when the handler wants it, for ever
    if not cores + esp32s:
        raise Misuse("a rack without boards", hint="--cores N, --esp32s N")
    slots = [CoreSlot(time_scale, generation.value, joined=online)] * cores + [Esp32Slot(time_scale)] * esp32s
    plan = RackPlan(slots, manifest)
    _when_told_to_end(_give_up)
    mourned: set[int] = set()
    with contextlib.suppress(KeyboardInterrupt), VirtualRack(plan, state=real(state) if state else None) as rack:
        _when_told_to_end(lambda number, _frame: signals.append(number))
        tell(as_json, rack.ready_line(), *_welcome(rack, online))
        while not signals:
            for child in rack.dead():
                if child.process.pid not in mourned:
                    mourned.add(child.process.pid)
                    complain(child.obituary())
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


def _welcome(rack: Any, online: bool) -> list[str]:
    first = rack.places[0]
    button = rack.slots[first].lines[1]
    lines = [
        f"Virtual rack is up: {', '.join(rack.places)}. Ctrl-C ends it. Paste into another shell:",
        "",
        f"  export LG_COORDINATOR={rack.coordinator}",
        "  labgrid-client places",
        f"  labgrid-client -p {first} acquire",
        f"  labgrid-client -p {first} power cycle",
        f"  labgrid-client -p {first} io high {button}     # hold the {button.upper()} button; `low` lets go",
        f"  labgrid-client -p {first} release",
    ]
    if rack.cloud and online:
        core = rack.boards[first]["core_id"]
        lines += [
            "",
            f"  export RIG_SPARK_CONTROL={rack.cloud['control']['address']}",
            "  rig cloud spark list",
            f"  rig cloud spark describe {core}",
            f"  rig cloud spark flash {core} FILE      # `rig firmware build DIR` makes files",
        ]
    if rack.updates:
        board = next(board for board in rack.boards.values() if "serial" in board)
        lines += [
            "",
            f"  esptool --port {board['serial']['url']} flash-id",
            f"  export RIG_HTTPS_CONTROL={rack.updates['control']['address']}",
            f"  rig cloud https publish FILE --path /{board['mac']}/app.bin",
        ]
    return lines
