"""`rig serial`: an ESP32's flash over its serial port, by hand, and what it would start."""

from __future__ import annotations

import signal
import sys
from pathlib import Path
from typing import Annotated

import typer

from rig.terminal.memory import number, progress_bar, read_into
from rig.terminal.output import print_error, print_json, print_lines, print_result

app = typer.Typer(
    no_args_is_help=True,
    help="Look at an ESP32 over its serial port, read its flash and write it.\n\n"
    "The port is a device, rfc2217://HOST:PORT or socket://HOST:PORT; DTR and RTS bring the board into download mode, "
    "and it starts again afterwards. esptool does the same and more.",
)
PORT = Annotated[str, typer.Option("--port", "-p", envvar="RIG_SERIAL_PORT", help="The serial port.")]
WAITS = Annotated[
    bool, typer.Option("--waits", help="The board waits in download mode already: leave its lines alone.")
]
JSON = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
ADDRESS = Annotated[str, typer.Option("--address", "-s", help="Offset in flash, for example 0x10000.")]
EXAMPLE = "0x10000"


@app.callback()
def _ends_well() -> None:
    """Whoever is told to end lets the board start before."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)


@app.command()
def info(port: PORT, waits: WAITS = False, as_json: JSON = False) -> None:
    """Show chip, address, partitions, otadata, and which application the board would start next."""
    from rig.families.esp32.lab.serial import look

    found = look(port, print_error, waits=waits)
    if as_json:
        print_json(found)
        return
    print_lines(f"{found['chip']}, {found['mac']}, {found['flash'] >> 20} MB of flash")
    for row in found["partitions"]:
        print_lines(
            f"  {row['label']:16} {row['usage']:12} {row['offset']:#010x} {row['size']:>9,} bytes  {row['image']}"
        )
    for number_of, record in enumerate(found["otadata"]):
        print_lines(f"  record {number_of}: {record}")
    because = f", because {found['because']}" if found["because"] else ""
    print_lines(
        f"would start {found['boots'] or 'nothing'}{because}" + (f" ({found['note']})" if found["note"] else "")
    )


@app.command()
def read(
    file: Annotated[Path, typer.Argument(help="File to write to; it must not be there yet.")],
    port: PORT,
    address: ADDRESS = "0",
    length: Annotated[str | None, typer.Option(help="How many bytes; up to the end of flash if not given.")] = None,
    waits: WAITS = False,
    as_json: JSON = False,
) -> None:
    """Read flash into a file."""
    from rig.families.esp32.lab.serial import read_flash

    first = number(address, "--address", EXAMPLE)
    wanted = number(length, "--length", EXAMPLE) if length is not None else None
    read_into(
        file, first, lambda watch: read_flash(port, first, wanted, watch, print_error, waits=waits), as_json=as_json
    )


@app.command()
def write(
    file: Annotated[Path, typer.Argument(help="What to write.")],
    port: PORT,
    address: Annotated[
        str | None,
        typer.Option("--address", "-s", help="Offset in flash; where the application lies that starts next if none."),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Write what no ESP32 could run.")] = False,
    waits: WAITS = False,
    as_json: JSON = False,
) -> None:
    """Erase, write, and compare digests; then let the board start."""
    from rig.families.esp32.lab.serial import write_flash

    wanted = number(address, "--address", EXAMPLE) if address is not None else None
    with progress_bar(as_json) as watch:
        first, size, seconds = write_flash(port, wanted, file, watch, print_error, force=force, waits=waits)
    result = {"written": size, "address": first, "seconds": round(seconds, 3)}
    print_result(as_json, result, f"{size:,} bytes written to {first:#x} and compared in {seconds:.1f} s")


@app.command()
def erase(
    port: PORT,
    address: ADDRESS,
    length: Annotated[str, typer.Option(help="How many bytes, whole sectors of 0x1000.")],
    waits: WAITS = False,
    as_json: JSON = False,
) -> None:
    """Erase sectors."""
    from rig.families.esp32.lab.serial import erase_flash

    first, wanted = number(address, "--address", EXAMPLE), number(length, "--length", EXAMPLE)
    with progress_bar(as_json) as watch:
        erase_flash(port, first, wanted, watch, print_error, waits=waits)
    print_result(as_json, {"erased": wanted, "address": first}, f"{wanted:,} bytes erased from {first:#x}")


@app.command()
def console(
    port: PORT,
    seconds: Annotated[float | None, typer.Option(help="For so long; until Ctrl-C if not given.")] = None,
) -> None:
    """Print what the board says; its lines are left alone. A terminal gets its text and colours, a file every byte."""
    from rig.families.esp32.lab.serial import listen
    from rig.terminal.output import console_to

    listen(port, seconds, console_to(sys.stdout))
