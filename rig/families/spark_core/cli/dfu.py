"""`rig dfu`: look at boards in DFU mode, read their memories and write them, by hand."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rig.terminal.memory import number, progress_bar, read_into
from rig.terminal.output import print_json, print_lines, print_result, print_status

if TYPE_CHECKING:
    from rig.drivers.dfu_devices import DfuDevice

app = typer.Typer(
    no_args_is_help=True,
    help="List, read and write boards in DFU mode, on this machine's USB or on a USB/IP server.\n\n"
    "Files are those of dfu-util: a DFU suffix is checked and stripped, a DfuSe container is taken apart.",
)

USBIP = Annotated[
    str | None, typer.Option(metavar="HOST:PORT", help="A USB/IP server; this machine's USB if not given.")
]
SERIAL = Annotated[str | None, typer.Option(help="Which device, when there are several.")]
JSON = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
ADDRESS = Annotated[str, typer.Option("--address", "-s", help="Where, for example 0x08005000.")]


@app.command("list")
def list_devices(usbip: USBIP = None, serial: SERIAL = None, as_json: JSON = False) -> None:
    """Show every device that can do DFU: identity, serial number, memories, and why one cannot be driven."""
    from rig.families.spark_core.lab.dfu import Where, find_devices

    found = find_devices(Where(usbip, serial))
    if as_json:
        print_json({"devices": [_device_fields(entry) for entry in found]})
        return
    for entry in found:
        print_lines(f"{entry.identity}  " + (f"serial {entry.serial}" if entry.serial else "no serial number"))
        for s in entry.segments:
            print_lines(
                f"    {s.start:#010x} to {s.end:#010x}, pages of {s.page}, {'' if s.writable else 'not '}writable"
            )
        if entry.fault is not None:
            print_lines(f"    cannot be driven: {entry.fault}")
            print_lines(*(f"    called {alternate.name}" for alternate in entry.alternates if alternate.name))
    if all(entry.fault is not None for entry in found):
        print_status("no device is in DFU mode that could be driven")


def _device_fields(entry: DfuDevice) -> dict[str, object]:
    """A device for scripts; `fault` is null for one that can be driven."""
    memories = [{"start": s.start, "end": s.end, "page": s.page, "writable": s.writable} for s in entry.segments]
    names = [alternate.name for alternate in entry.alternates]
    fault = str(entry.fault) if entry.fault is not None else None
    return {"identity": entry.identity, "serial": entry.serial, "memories": memories, "names": names, "fault": fault}


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
    from rig.families.spark_core.lab.dfu import Where, read_memory, the_device

    first, wanted = number(address, "--address"), number(length, "--length") if length else None
    where = Where(usbip, serial)
    read_into(file, first, lambda watch: read_memory(the_device(where), first, wanted, watch), as_json=as_json)


@app.command()
def write(
    file: Annotated[
        Path, typer.Argument(help="What to write: a raw image, with or without a DFU suffix, or a DfuSe container.")
    ],
    address: Annotated[
        str | None,
        typer.Option("--address", "-s", help="Where; 0x08005000 if not given. A DfuSe container says it itself."),
    ] = None,
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
    from rig.families.spark_core.lab.dfu import Where, Write, the_device, write_memory
    from rig.families.spark_core.lab.dfu_files import load_file

    first = number(address, "--address") if address is not None else None
    found = the_device(Where(usbip, serial))
    pieces = load_file(file, found, first)
    order = EraseOrder.INTERLEAVED if interleaved else EraseOrder.ALL_FIRST
    with progress_bar(as_json) as watch:
        seconds = write_memory(found, Write(pieces, order, leave=leave, force=force), watch)
    parts = [{"written": len(piece.image), "address": piece.address, "sha256": piece.image.sha256} for piece in pieces]
    result = {**parts[0], "left": leave, "seconds": round(seconds, 3), "parts": parts}
    text = ", ".join(f"{len(piece.image):,} bytes written to {piece.address:#010x}" for piece in pieces)
    print_result(as_json, result, f"{text} and read back in {seconds:.1f} s")
