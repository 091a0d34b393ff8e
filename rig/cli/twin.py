"""`rig twin`: one twin alone on given ports, or started once from given flash."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rig.cli import twin_esp32
from rig.cli.asked import HTTP_NAME
from rig.cli.show import say, say_json
from rig.cli.twin_options import (
    CONTROL,
    GENERATION,
    HOST,
    JSON,
    MANIFEST,
    POWER,
    SEED,
    TIME_SCALE,
    TOKEN_FILE,
    Generation,
    Power,
    folder_for,
    tcp_port,
)

app = typer.Typer(help="Serve one board that is not there, or start it once.", no_args_is_help=True)
spark_core = typer.Typer(
    invoke_without_command=True,
    help="A Spark Core: its USB behind USB/IP, its buttons and LED behind a control port, its flash in a folder.\n\n"
    "Prints one JSON line when it is ready and serves until Ctrl-C or SIGTERM.",
)
app.add_typer(spark_core, name="spark-core")
app.add_typer(twin_esp32.app, name="esp32")


@spark_core.callback()
def _serve(
    context: typer.Context,
    state: Annotated[Path | None, typer.Option(help="Folder of internal.bin and external.bin.")] = None,
    core_id: Annotated[str, typer.Option(help="24 hex digits; the USB serial follows from it.")] = (
        "48ff6d065067555026311387"
    ),
    usbip_port: Annotated[int, tcp_port("USB/IP")] = 0,
    control: CONTROL = None,
    token_file: TOKEN_FILE = None,
    console_port: Annotated[int, tcp_port("the serial console, which listens only while the Core has one")] = 0,
    host: HOST = "127.0.0.1",
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
    time_scale: TIME_SCALE = 1.0,
    power: POWER = Power.on,
    seed: SEED = 0,
    manifest: MANIFEST = None,
) -> None:
    if context.invoked_subcommand is not None:
        return
    from rig.lab.twins import CoreTwinPlan, serve_core

    plan = CoreTwinPlan(
        state=folder_for(state),
        core_id=core_id,
        host=host,
        usbip_port=usbip_port,
        control=control,
        token_file=token_file,
        console_port=console_port,
        cloud=cloud or [],
        firmware_version=firmware_version,
        good=good or [],
        server_key=server_key,
        time_scale=time_scale,
        powered=power is Power.on,
        seed=seed,
        manifest=manifest,
        generation=generation.value,
        locked=locked,
    )
    serve_core(plan)


@app.command("relay")
def _relay(
    wire: Annotated[
        list[str],
        typer.Option(
            metavar="LINE@ADDRESS",
            help="What a channel switches, in order: power, mode, reset or boot of the board whose control port is at "
            "unix:PATH or HOST:PORT.",
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
    from rig.lab.twins import RelayPlan, serve_relay

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


@spark_core.command("boot")
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
    from rig.lab.twins import boot_core

    told = boot_core(
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
        say_json(told)
    else:
        for name, value in told.items():
            say(f"{name:12} {' '.join(value) if isinstance(value, list) else value}")
