"""Entry of the `rig` command: verbs, `--debug`, and how errors become one line and an exit status."""

from __future__ import annotations

import os
import sys
from typing import Annotated

import typer

from rig import __version__
from rig.cli import cloud, deep_update, dfu, firmware, lab, run, serial, trust, twin, up
from rig.errors import LabFault, RigError

app = typer.Typer(
    name="rig",
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Test firmware updates on boards whose power, servers and keys you control.",
    epilog="Exit status: 0 good, 1 device fault, 2 misuse, 3 lab fault.",
)
app.command("run")(run.run)
app.command("up")(up.up)
app.command("deep-update")(deep_update.deep_update)
app.add_typer(twin.app, name="twin")
app.add_typer(cloud.app, name="cloud")
app.add_typer(dfu.app, name="dfu")
app.add_typer(serial.app, name="serial")
app.add_typer(firmware.app, name="firmware")
app.add_typer(trust.app, name="trust")
app.add_typer(lab.app, name="lab")


def _print_version(wanted: bool) -> None:
    if wanted:
        print(__version__)
        raise typer.Exit


@app.callback()
def _options(
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    if debug:
        os.environ["RIG_DEBUG"] = "1"


def main() -> None:
    """Run the command; an error of ours is one line on stderr and its exit status."""
    try:
        app()
    except RigError as error:
        if os.environ.get("RIG_DEBUG"):
            raise
        print(f"rig: {error}", file=sys.stderr)
        sys.exit(error.exit_status)
    except Exception as error:
        if os.environ.get("RIG_DEBUG"):
            raise
        told = " ".join(f"{type(error).__name__}: {error}".split())
        print(f"rig: the rig itself broke: {told} (hint: --debug shows where)", file=sys.stderr)
        sys.exit(LabFault.exit_status)
