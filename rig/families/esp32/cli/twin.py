"""`rig twin esp32`: one ESP32 alone, or its flash started once."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rig.errors import Misuse
from rig.family.twin_settings import TwinSettings
from rig.terminal.output import print_json, print_lines
from rig.terminal.twin_options import tcp_port, with_twin_options

JSON = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
app = typer.Typer(
    invoke_without_command=True,
    help="An ESP32: its serial port on TCP with DTR and RTS, its buttons behind a control port, its flash in a "
    "folder.\n\n"
    "Prints one JSON line when it is ready and serves until Ctrl-C or SIGTERM. esptool takes the url it tells.",
)


_ENDS = {"SW_SYS_RST": "software reset", "RTCWDT_RTC_RESET": "it hangs until the watchdog resets it"}


@app.callback()
@with_twin_options("flash.bin and efuses.bin")
def _serve(
    settings: TwinSettings,
    serial_port: Annotated[int, tcp_port("the serial port, RFC 2217")] = 0,
    raw_port: Annotated[int, tcp_port("the same serial port without lines (socket://)")] = 0,
    mac: Annotated[
        str | None, typer.Option(help="Base address, 12 hex digits; a new board's is 24:0a:c4:00:00:01.")
    ] = None,
    revision: Annotated[
        int | None, typer.Option(help="Chip revision, major*100+minor; a new board's is 300, v3.0.")
    ] = None,
    server: Annotated[
        list[str] | None,
        typer.Option(metavar="[NAME=]HOST:PORT", help="Where a server's name, or every name, leads."),
    ] = None,
    trust: Annotated[Path | None, typer.Option(help="Folder of NAME.pem: certificates that firmware pins.")] = None,
    address: Annotated[
        str | None, typer.Option(help="The board's own address, e.g. 127.0.1.7: servers see it.")
    ] = None,
    fed_by_board: Annotated[
        bool, typer.Option("--bridge-fed-by-board", help="The serial port vanishes with the board's supply.")
    ] = False,
    flash_size: Annotated[
        int | None, typer.Option(metavar="2|4|8|16", help="Megabytes of flash; a new board has 4.")
    ] = None,
    line_rate: Annotated[
        int,
        typer.Option(
            metavar="BAUD",
            help="What the chip sends comes no slower than at this rate; 0 is the rate that is set.",
            min=0,
        ),
    ] = 3_000_000,
    blank: Annotated[bool, typer.Option("--blank", help="A new board has erased flash, not the golden set.")] = False,
    _json: Annotated[bool, typer.Option("--json", help="The ready line is JSON in any case.")] = False,
) -> None:
    from rig.families.esp32.lab.twin import Esp32TwinPlan, serve_esp32

    plan = Esp32TwinPlan(
        settings=settings,
        mac=mac,
        revision=revision,
        serial_port=serial_port,
        raw_port=raw_port,
        servers=server or [],
        trust=trust,
        address=address,
        fed_by_board=fed_by_board,
        line_rate=line_rate,
        blank=blank,
        flash_size=flash_bytes(flash_size),
    )
    serve_esp32(plan)


def flash_bytes(megabytes: int | None) -> int | None:
    """What `--flash-size` names, in bytes. Raises Misuse."""
    if megabytes not in (None, 2, 4, 8, 16):
        raise Misuse(f"--flash-size {megabytes} is no size of an ESP32's flash", hint="2, 4, 8 or 16, in megabytes")
    return megabytes << 20 if megabytes is not None else None


@app.command("boot")
def _boot(
    flash: Annotated[Path, typer.Option(help="Flash contents, from offset 0.")],
    rollback: Annotated[bool, typer.Option("--rollback", help="The bootloader was built with app rollback.")] = False,
    chip: Annotated[str | None, typer.Option(help="esp32 or esp32c3; what its images are for if not given.")] = None,
    revision: Annotated[int | None, typer.Option(help="Chip revision, major*100+minor.")] = None,
    idf: Annotated[
        str | None, typer.Option(help="ESP-IDF of the second stage, e.g. 5.3.1; what it says itself if not given.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="File to write flash to as the start left it.")] = None,
    as_json: JSON = False,
) -> None:
    """Start once from given flash: which application the second stage enters, and what it writes to otadata."""
    from rig.families.esp32.lab.boot import boot_flash

    result = boot_flash(flash, rollback=rollback, chip=chip, revision=revision, idf=idf, out=out)
    if as_json:
        print_json(result)
        return
    for line in result["console"]:
        print_lines(line)
    print_lines(f"booted {result['booted'] or 'nothing: ' + _ENDS[result['end']]}")
