"""`rig dfu`: look at boards in DFU mode, read their memories and write them, by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rig.cli.progress import number, progress_bar, read_into
from rig.cli.show import note, say, say_json, tell

app = typer.Typer(
    no_args_is_help=True,
    help="List, read and write boards in DFU mode, on this machine's USB or on a USB/IP server.\n\n"
    "Files are those of dfu-util: a suffix is checked and stripped.",
)

USBIP = Annotated[
    str | None, typer.Option(metavar="HOST:PORT", help="A USB/IP server; this machine's USB if not given.")
]
SERIAL = Annotated[str | None, typer.Option(help="Which device, when there are several.")]
JSON = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
ADDRESS = Annotated[str, typer.Option("--address", "-s", help="Where, for example 0x08005000.")]


@app.command("list")
def list_devices(usbip: USBIP = None, serial: SERIAL = None, as_json: JSON = False) -> None:
    """Show every device in DFU mode: identity, serial number, memories."""
    from rig.lab.by_hand import Where, find_devices

    found = find_devices(Where(usbip, serial))
    if as_json:
        told = [
            {
                "identity": entry.identity,
                "serial": entry.serial,
                "memories": [
                    {"start": s.start, "end": s.end, "page": s.page, "writable": s.writable} for s in entry.segments
                ],
            }
            for entry in found
        ]
        say_json({"devices": told})
        return
    for entry in found:
        say(f"{entry.identity}  serial {entry.serial}")
        for s in entry.segments:
            say(f"    {s.start:#010x} to {s.end:#010x}, pages of {s.page}, {'' if s.writable else 'not '}writable")
    if not found:
        note("no device is in DFU mode")


@app.command()
def read(
    file: Annotated[Path, typer.Argument(help="File to write to; it must not be there yet.")],
    address: ADDRESS = "0x08005000",
    length: Annotated[str | None, typer.Option(help="How many bytes; to the end of the memory if not given.")] = None,
    usbip: USBIP = None,
    serial: SERIAL = None,
    as_json: JSON = False,
) -> None:
    """Read a memory into a file, as [b]dfu-util -U[/b] would."""
    from rig.lab.by_hand import Where, read_memory, the_device

    first, wanted = number(address, "--address"), number(length, "--length") if length else None
    where = Where(usbip, serial)
    read_into(file, first, lambda watch: read_memory(the_device(where), first, wanted, watch), as_json=as_json)


@app.command()
def write(
    file: Annotated[Path, typer.Argument(help="What to write: a raw image, with or without a DFU suffix.")],
    address: ADDRESS = "0x08005000",
    leave: Annotated[bool, typer.Option("--leave", help="Let the board start it afterwards.")] = False,
    interleaved: Annotated[
        bool, typer.Option("--interleaved", help="Erase each page before its own block, not all first.")
    ] = False,
    force: Annotated[
        bool, typer.Option("--force", help="Write what cannot run, or where nothing should be written.")
    ] = False,
    usbip: USBIP = None,
    serial: SERIAL = None,
    as_json: JSON = False,
) -> None:
    """Erase, write, read back and compare; with --leave start it, as [b]dfu-util -D … -s ADDRESS:leave[/b] would."""
    from rig.drivers.dfu_host import EraseOrder
    from rig.lab.by_hand import Where, Write, load_file, the_device, write_memory

    first = number(address, "--address")
    found = the_device(Where(usbip, serial))
    image = load_file(file, found)
    order = EraseOrder.INTERLEAVED if interleaved else EraseOrder.ALL_FIRST
    with progress_bar(as_json) as watch:
        seconds = write_memory(found, Write(image, first, order, leave=leave, force=force), watch)
    told = {
        "written": len(image),
        "address": first,
        "sha256": image.sha256,
        "left": leave,
        "seconds": round(seconds, 3),
    }
    tell(as_json, told, f"{len(image):,} bytes written to {first:#010x} and read back in {seconds:.1f} s")
