"""`rig twin`: what is not there, alone on given ports: the relay here, a board of each kind from its family."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rig.cli.family_verbs import VerbGroup
from rig.terminal.server_options import HTTP_NAME
from rig.terminal.twin_options import HOST, tcp_port

app = typer.Typer(cls=VerbGroup, help="Serve one board that is not there, or start it once.", no_args_is_help=True)


@app.command("relay")
def _relay(
    wire: Annotated[
        list[str],
        typer.Option(
            metavar="LINE@ADDRESS",
            help="What a channel switches, in order: power, or a button such as reset, of the board whose control port "
            "is at unix:PATH or HOST:PORT.",
        ),
    ],
    modbus_port: Annotated[int, tcp_port("Modbus")] = 0,
    http_port: Annotated[int, tcp_port("Shelly's RPC")] = 0,
    password_file: Annotated[
        Path | None,
        typer.Option(help="Ask for the password in this file over HTTP, as Shelly does; only you may read it."),
    ] = None,
    host: HOST = "127.0.0.1",
    token_file: Annotated[Path | None, typer.Option(help="File with the token of control ports on TCP.")] = None,
    http_name: HTTP_NAME = None,
) -> None:
    """A relay board wired to twins, driven over Modbus TCP and Shelly Gen2 HTTP."""
    from rig.rack.relay import RelayPlan, serve_relay

    serve_relay(
        RelayPlan(
            wires=wire,
            host=host,
            modbus_port=modbus_port,
            http_port=http_port,
            password_file=password_file,
            token_file=token_file,
            names=http_name or [],
        )
    )
