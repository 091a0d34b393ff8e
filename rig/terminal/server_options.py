"""Options of verbs that start an update server, or ask one that runs."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from rig.errors import Misuse

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


def running(control: str, usual: str, variable: str) -> str:
    """The control port of a server that runs; a variable that is set and empty names none. Raises Misuse."""
    if control == usual and os.environ.get(variable) == "":  # typer takes an empty variable for one that is not set
        raise Misuse(f"{variable} is empty, and no address", hint="set it, or unset it for the usual socket")
    return control
