"""Entry of the `rig` command: verbs, `--debug`, and how errors become one line and an exit status."""

from __future__ import annotations

import contextlib
import io
import os
import sys
from collections.abc import Callable
from functools import cache
from typing import Annotated, Any

import typer
from typer.main import get_command

from rig import __version__, escape
from rig.cli import boards, cloud, firmware, lab, ledger, replay, report, run, sweep, trust, twin, up
from rig.cli.family_verbs import VerbGroup, add_family_verbs
from rig.errors import LabFault, RigError
from rig.terminal.output import print_error, print_lines

#: Columns of a help that no terminal shows: Typer takes 80, and cuts what does not fit.
WIDTH_OF_HELP = "120"

app = typer.Typer(
    name="rig",
    cls=VerbGroup,
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Test firmware updates on boards whose power, servers and keys you control.",
    epilog="Exit status, the first that applies: 2 misuse, 1 device fault, 3 lab fault; 0 good.",
)
app.command("run", cls=boards.TakesBoards)(run.run)
app.command("report")(report.report)
app.command("sweep", context_settings={"allow_extra_args": True, "ignore_unknown_options": True})(sweep.sweep)
app.command("replay", context_settings={"ignore_unknown_options": True})(replay.replay)
app.command("up", cls=boards.StartsBoards)(up.up)
app.add_typer(twin.app, name="twin")
app.add_typer(cloud.app, name="cloud")
app.add_typer(firmware.app, name="firmware")
app.add_typer(trust.app, name="trust")
app.add_typer(lab.app, name="lab")
app.add_typer(ledger.app, name="ledger")
add_family_verbs({"": app, "twin": twin.app, "cloud": cloud.app})


def _print_version(wanted: bool) -> None:
    if wanted:
        print_lines(__version__)
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
    _open_what_is_closed()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    if not sys.stdout.isatty():
        os.environ.setdefault("TERMINAL_WIDTH", WIDTH_OF_HELP)
    try:
        _command()()
    except SystemExit as end:
        # click makes 1 of it, which is a device fault
        sys.exit(LabFault.exit_status if isinstance(end.__context__, BrokenPipeError) else end.code)
    except RigError as error:
        if os.environ.get("RIG_DEBUG"):
            raise
        print_error(str(error))
        sys.exit(error.exit_status)
    except Exception as error:
        if os.environ.get("RIG_DEBUG"):
            raise
        sys.exit(_end_of(error))


@cache
def _command() -> Callable[[], Any]:
    """All verbs with their options, which takes a while to make."""
    return get_command(app)


def prepare(_manifest: object = None) -> None:
    """Make it before processes are forked that run a verb each."""
    _command()


def _open_what_is_closed() -> None:
    """A stream that we were started without leads nowhere; else the next file that is opened would be taken for it."""
    for number in (0, 1, 2):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # gets the lowest number that is free
    sys.stdout = sys.stdout or os.fdopen(1, "w", closefd=False)
    sys.stderr = sys.stderr or os.fdopen(2, "w", closefd=False)


def _end_of(error: Exception) -> int:
    """The exit status of what nobody expected: of a file or a disk, by its name, or else a defect of ours."""
    from rig.files import is_of_the_disk, unusable

    with contextlib.suppress(OSError):  # the standard error may be on that disk, too
        if isinstance(error, OSError) and is_of_the_disk(error):
            fault = unusable(error.filename or "the output", error)
            print_error(str(fault))
            return fault.exit_status
        text = escape.one_line(f"{type(error).__name__}: {error}")
        print_error(f"the rig itself broke: {text} (hint: --debug shows where)")
    return LabFault.exit_status
