"""Entry of the `rig` command: verbs, `--debug`, and how errors become one line and an exit status."""

from __future__ import annotations

import contextlib
import io
import os
import sys
from typing import Annotated

import typer

from rig import __version__, escape
from rig.cli import cloud, deep_update, dfu, firmware, lab, ledger, run, serial, trust, twin, up
from rig.cli.show import complain, say
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
app.add_typer(ledger.app, name="ledger")


def _print_version(wanted: bool) -> None:
    if wanted:
        say(__version__)
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
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    try:
        app()
    except RigError as error:
        if os.environ.get("RIG_DEBUG"):
            raise
        complain(str(error))
        sys.exit(error.exit_status)
    except Exception as error:
        if os.environ.get("RIG_DEBUG"):
            raise
        sys.exit(_end_of(error))


def _end_of(error: Exception) -> int:
    """The exit status of what nobody expected: of a file or a disk, by its name, or else a defect of ours."""
    from rig.files import is_of_the_disk, unusable

    if isinstance(error, BrokenPipeError):  # whoever read the output has enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return LabFault.exit_status
    with contextlib.suppress(OSError):  # the standard error may be on that disk, too
        if isinstance(error, OSError) and is_of_the_disk(error):
            fault = unusable(error.filename or "the output", error)
            complain(str(fault))
            return fault.exit_status
        told = escape.one_line(f"{type(error).__name__}: {error}")
        complain(f"the rig itself broke: {told} (hint: --debug shows where)")
    return LabFault.exit_status
