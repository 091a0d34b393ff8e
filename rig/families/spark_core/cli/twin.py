"""`rig twin spark-core`: one Spark Core alone, or started once from given memories."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from rig.family.twin_settings import TwinSettings
from rig.terminal.output import print_json, print_lines
from rig.terminal.twin_options import tcp_port, with_twin_options

JSON = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
app = typer.Typer(
    invoke_without_command=True,
    help="A Spark Core: its USB behind USB/IP, its buttons and LED behind a control port, its flash in a folder.\n\n"
    "Prints one JSON line when it is ready and serves until Ctrl-C or SIGTERM.",
)


class Generation(StrEnum):
    """Bootloaders of a Core, by their names in rig.families.spark_core.formats.flash."""

    A2013, A, B, C = "a2013", "a", "b", "c"
    C2, C3, C4, C5, C6, C7, C8 = "c2", "c3", "c4", "c5", "c6", "c7", "c8"
    C11, C101, C201, C301, C311 = "c11", "c101", "c201", "c301", "c311"
    C401, C500, C501 = "c401", "c500", "c501"


GENERATION = typer.Option(
    case_sensitive=False,
    help="Bootloader of a blank board; one in its flash that is known wins. a2013: of 2013-10-30, as the first boards; "
    "a: of 2014-02-12, which marks a copy; b: of 2014-08-21, with watchdog recovery; c: of device-os v0.6.1 to v0.6.4, "
    "version 11; c2 to c501: by their version, of v0.4.0 to v1.4.4.",
)


@app.callback()
@with_twin_options("internal.bin and external.bin")
def _serve(
    settings: TwinSettings,
    core_id: Annotated[str, typer.Option(help="24 hex digits; the USB serial follows from it.")] = (
        "48ff6d065067555026311387"
    ),
    usbip_port: Annotated[int, tcp_port("USB/IP")] = 0,
    console_port: Annotated[int, tcp_port("the serial console, which listens only while the Core has one")] = 0,
    cloud: Annotated[
        list[str] | None,
        typer.Option(metavar="[NAME=]HOST:PORT", help="Where the server's name in its flash, or every name, leads."),
    ] = None,
    server_key: Annotated[
        Path | None, typer.Option(help="Public key of the server that a new Core with a --cloud knows.")
    ] = None,
    firmware_version: Annotated[
        str | None, typer.Option(help="Speak as this version, whatever the image's own is; e.g. 0.2.1.")
    ] = None,
    good: Annotated[
        list[Path] | None, typer.Option(metavar="FILE", help="An image that runs well, beyond those of the manifest.")
    ] = None,
    generation: Annotated[Generation, GENERATION] = Generation.B,
    locked: Annotated[bool, typer.Option("--locked", help="Option bytes protect the bootloader's pages.")] = False,
) -> None:
    from rig.families.spark_core.lab.twin import CoreTwinPlan, serve_core

    plan = CoreTwinPlan(
        settings=settings,
        core_id=core_id,
        usbip_port=usbip_port,
        console_port=console_port,
        cloud=cloud or [],
        firmware_version=firmware_version,
        good=good or [],
        server_key=server_key,
        generation=generation.value,
        locked=locked,
    )
    serve_core(plan)


@app.command("boot")
def _boot(
    internal: Annotated[Path, typer.Option(help="Internal flash, 131,072 bytes.")],
    external: Annotated[Path, typer.Option(help="External flash, 2,097,152 bytes.")],
    dr: Annotated[list[str] | None, typer.Option(help="Backup register, e.g. 1=0xFFFF. Others are 0.")] = None,
    cause: Annotated[str, typer.Option(help="power-on, pin, software or watchdog.")] = "power-on",
    hold_ms: Annotated[int, typer.Option(min=0, help="MODE held from reset for so many milliseconds.")] = 0,
    good: Annotated[
        list[str] | None, typer.Option(help="SHA256 or NAME=SHA256 of an application area that runs well.")
    ] = None,
    image: Annotated[list[str] | None, typer.Option(help="NAME=SHA256 of another area, to name it in events.")] = None,
    generation: Annotated[Generation, GENERATION] = Generation.B,
    out: Annotated[Path | None, typer.Option(help="Folder to write both memories to afterwards.")] = None,
    as_json: JSON = False,
) -> None:
    """Start a Core once from given contents, and tell how it settled in the words of the boot vectors."""
    from rig.families.spark_core.lab.twin import boot_core

    result = boot_core(
        internal=internal,
        external=external,
        registers=dr or [],
        cause=cause,
        hold_ms=hold_ms,
        good=good or [],
        images=image or [],
        out=out,
        generation=generation.value,
    )
    if as_json:
        print_json(result)
    else:
        for name, value in result.items():
            print_lines(f"{name:12} {' '.join(value) if isinstance(value, list) else value}")
