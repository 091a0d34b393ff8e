"""Options that twins of every kind have."""

from __future__ import annotations

import enum
from pathlib import Path
from typing import Annotated, Any

import typer

from rig.errors import Misuse

#: Slower boards end no test.
MOST_TIME_SCALE = 1000


class Power(enum.StrEnum):
    """Whether the board begins with its supply on."""

    on = "on"
    off = "off"


class Generation(enum.StrEnum):
    """Bootloaders of a Core, by their names in rig.formats.spark_flash."""

    A2013, A, B, C = "a2013", "a", "b", "c"
    C2, C3, C4, C5, C6, C7, C8 = "c2", "c3", "c4", "c5", "c6", "c7", "c8"
    C11, C101, C201, C301, C311 = "c11", "c101", "c201", "c301", "c311"
    C401, C500, C501 = "c401", "c500", "c501"


def tcp_port(what: str) -> Any:
    """The option of a TCP port to listen on: that of `what`."""
    return typer.Option(min=0, max=65535, help=f"TCP port of {what}; 0 for any free one.")


def _finite(scale: float) -> float:
    if not 0 <= scale <= MOST_TIME_SCALE:
        raise Misuse(f"--time-scale {scale} is not from 0 to {MOST_TIME_SCALE}", hint="1 is a real board's pace")
    return scale


GENERATION = typer.Option(
    case_sensitive=False,
    help="Bootloader of a blank board; one in its flash that is known wins. a2013: of 2013-10-30, as the first boards; "
    "a: of 2014-02-12, which marks a copy; b: of 2014-08-21, with watchdog recovery; c: of device-os v0.6.1 to v0.6.4, "
    "version 11; c2 to c501: by their version, of v0.4.0 to v1.4.4.",
)
CONTROL = Annotated[
    str | None,
    typer.Option(
        "--control",
        "--control-port",
        metavar="unix:PATH|HOST:PORT|PORT",
        help="Control port, if not control.sock in the state folder; on TCP it wants a token.",
    ),
]
TOKEN_FILE = Annotated[
    Path | None, typer.Option(help="File with the token of control ports on TCP, if not one that is made.")
]
HOST = Annotated[str, typer.Option(help="Address to listen on with all but the control port.")]
TIME_SCALE = Annotated[
    float,
    typer.Option(callback=_finite, help="Stretches modelled flash and boot times; 0 leaves them out."),
]
POWER = Annotated[Power, typer.Option(help="Supply at the beginning.")]
SEED = Annotated[int, typer.Option(help="Draws what a power cut leaves of the operation in flight.")]
MANIFEST = Annotated[Path | None, typer.Option(help="Manifest that says how images behave.")]
JSON = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]


def folder_for(state: Path | None) -> Path:
    """The folder of a board that is to be served. Raises Misuse where none was named."""
    if state is None:
        raise Misuse("--state is missing", hint="name a folder for the board's flash; it is made when it is not there")
    return state
