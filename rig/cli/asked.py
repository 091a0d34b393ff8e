"""What the commands share that ask an update server that runs."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rig.cli.show import tell
from rig.ports import format_address

if TYPE_CHECKING:
    from rig.drivers.control_client import ControlClient

JSON = Annotated[bool, typer.Option("--json", help="Print JSON, an object a line.")]

#: What clients of an HTTP server may call its machine.
HTTP_NAME = Annotated[
    list[str] | None,
    typer.Option(metavar="NAME", help="A name that HTTP clients may call this machine by; may be repeated."),
]
TOKEN_FILE = Annotated[
    Path | None, typer.Option(help="File with the token that a control port on TCP wants, if not one that is made.")
]
FILES = Annotated[
    list[Path] | None, typer.Option(metavar="DIR", help="Folder of files that commands may name; may be repeated.")
]
#: How a command is told where a control port is.
CONTROL_ADDRESS = "unix:PATH|HOST:PORT"


def usual_control(name: str) -> str:
    """Where a server's control port is, of which this user has one only: a socket in this user's folder."""
    from rig.control.address import runtime_folder

    return f"unix:{runtime_folder() / name}.sock"


def print_events(
    client: ControlClient, spoken: Callable[[dict[str, Any]], str], *, as_json: bool, **of: str | None
) -> None:
    """Print what happens until Ctrl-C or SIGTERM; `of` says whose events, `spoken` how people read one."""
    for number in (signal.SIGINT, signal.SIGTERM):  # a shell's background jobs begin with SIGINT ignored
        signal.signal(number, signal.default_int_handler)
    subscription = client.events(patience=None, **of)
    with contextlib.suppress(KeyboardInterrupt), subscription as told:
        for event in told:
            try:
                tell(as_json, event, spoken(event))
            except BrokenPipeError:  # whoever read has enough
                os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
                return


def address_told(told: Mapping[str, Any]) -> str:
    """A port of a ready line, `host` and `port`, as people write it and options take it."""
    return format_address(told["host"], told["port"])


def running(control: str, usual: str, variable: str) -> str:
    """The control port of a server that runs; a variable that is set and empty names none. Raises Misuse."""
    from rig.errors import Misuse

    if control == usual and os.environ.get(variable) == "":  # typer takes an empty variable for one that is not set
        raise Misuse(f"{variable} is empty, and no address", hint="set it, or unset it for the usual socket")
    return control


def read_time(text: str) -> datetime:
    """A time as people write it, e.g. 2034-01-01 or 2034-01-01T12:00Z; without a zone it is UTC. Raises Misuse."""
    from rig.errors import Misuse

    try:
        told = datetime.fromisoformat(text)
    except ValueError:
        raise Misuse(f"{text} is no time", hint="as 2034-01-01 or 2034-01-01T12:00Z") from None
    return told if told.tzinfo is not None else told.replace(tzinfo=UTC)
