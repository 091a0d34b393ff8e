"""Options of verbs that work on the boards of a lab."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

COORDINATOR = Annotated[
    str | None, typer.Option(metavar="HOST:PORT", help="labgrid's coordinator; LG_COORDINATOR if not given.")
]
RACK = Annotated[Path | None, typer.Option(metavar="FILE", help="labgrid environment of the places.")]
