"""`rig twin pinboard`: one pinboard alone."""

from __future__ import annotations

from typing import Annotated

import typer

from pinboard import KIND
from rig.family.twin_settings import TwinSettings
from rig.family.verb import Verb
from rig.terminal.twin_options import tcp_port, with_twin_options

app = typer.Typer(
    invoke_without_command=True,
    help="A pinboard: its TCP port, its button behind a control port, its flash in a folder.\n\n"
    "Prints one JSON line when it is ready and serves until Ctrl-C or SIGTERM.",
)


@app.callback()
@with_twin_options("flash.bin")
def _serve(settings: TwinSettings, wire_port: Annotated[int, tcp_port("the board, which answers `hello`")] = 0) -> None:
    from pinboard.process import serve_pinboard

    serve_pinboard(settings, wire_port)


VERBS = (Verb(KIND, app, under="twin"),)
