"""`rig cloud https`, what goes wrong at a server that runs, and what happens and happened there."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any

import typer

from rig.cli.cloud_https import CONTROL, DEFAULT_CONTROL, FAULT, client_at, https
from rig.terminal.output import print_events, print_json, print_lines, print_result
from rig.terminal.server_options import JSON

DEVICE = Annotated[str | None, typer.Option(help="Only of this device.")]


class LogName(StrEnum):
    """What a server keeps."""

    HANDSHAKES = "handshakes"
    REQUESTS = "requests"
    CHECK_INS = "check-ins"


@https.command()
def fault(
    what: Annotated[str, typer.Argument(metavar=FAULT, help="What is to go wrong, e.g. stall@4096.")],
    control: CONTROL = DEFAULT_CONTROL,
    as_json: JSON = False,
) -> None:
    """Let something go wrong with the next download, or until faults are cleared (*0)."""
    from dataclasses import asdict

    from rig.servers.https.faults import Fault

    pending = client_at(control).ask("fault", **asdict(Fault.parse(what)))["faults"]
    print_result(as_json, pending, f"{len(pending)} to happen")


@https.command()
def faults(control: CONTROL = DEFAULT_CONTROL, as_json: JSON = False) -> None:
    """Show what is still to go wrong."""
    pending = client_at(control).ask("faults")["faults"]
    if as_json:
        print_json(pending)
        return
    for one in pending:
        times = "until cleared" if one["times"] == 0 else f"{one['times']} times"
        whom = f"{one['device'] or 'any device':14} {one['host'] or 'any host'}"
        print_lines(f"{one['kind']:14} at {one['at']:<8} {whom}, {times}")


@https.command("clear-faults")
def clear_faults(
    device: Annotated[str | None, typer.Option(help="Only those of this device.")] = None,
    control: CONTROL = DEFAULT_CONTROL,
    as_json: JSON = False,
) -> None:
    """Let nothing more go wrong."""
    client = client_at(control)
    client.ask("clear-faults", device=device)
    left = client.ask("faults")["faults"]
    print_result(as_json, left, f"{len(left)} still to happen")


@https.command()
def log(
    of: Annotated[LogName, typer.Argument(help="What to show.")],
    last: Annotated[int, typer.Option(min=1, help="How many at most.")] = 20,
    after: Annotated[int, typer.Option(min=0, help="Only what came after the one with this number.")] = 0,
    device: DEVICE = None,
    control: CONTROL = DEFAULT_CONTROL,
    as_json: JSON = False,
) -> None:
    """Show the last handshakes, requests or check-ins, oldest first."""
    for entry in client_at(control).log(of.value, last, after=after, device=device):
        print_result(as_json, entry, _event_line({"event": of.value, "device": None, **entry}))


@https.command()
def events(
    host: Annotated[str | None, typer.Option(help="Only of this host.")] = None,
    device: DEVICE = None,
    control: CONTROL = DEFAULT_CONTROL,
    as_json: JSON = False,
) -> None:
    """Print what happens until Ctrl-C."""
    print_events(client_at(control), _event_line, as_json=as_json, host=host, device=device)


def _event_line(event: dict[str, Any]) -> str:
    left_out = ("event", "host", "device", "at_ns", "headers", "ciphers", "versions")
    rest = " ".join(f"{key}={value}" for key, value in event.items() if key not in left_out and value not in (None, ""))
    return f"{event['host'] or '-':20} {event['device'] or '-':12} {event['event']:12} {rest}"
