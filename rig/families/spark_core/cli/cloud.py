"""`rig cloud spark`: a Spark cloud alone, and what people ask of one that runs."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from rig.terminal.output import address_of_port, print_events, print_json, print_lines, print_result
from rig.terminal.server_options import CONTROL_ADDRESS, FILES, HTTP_NAME, JSON, TOKEN_FILE, running, usual_control

app = typer.Typer(
    invoke_without_command=True,
    help="A Spark cloud for Cores, real ones and twins: the handshake, events, functions, updates over the air.\n\n"
    "Without a command it serves until Ctrl-C. The commands speak with one that runs, at its control port.\n\n"
    "With --api 127.0.0.1:8080 spark-cli, curl and scripts drive it over HTTP, as they drove the Spark Cloud: "
    "GET /v1/devices, /v1/devices/ID and /v1/devices/ID/VARIABLE, POST /v1/devices/ID/FUNCTION, PUT /v1/devices/ID "
    "with a file to flash, a name, or signal=1; events come from /v1/devices/events. The access token is beside the "
    "server's key, in a file that ends with .token; it is also the password to log in with.",
)
CONTROL = Annotated[
    str,
    typer.Option(
        metavar=CONTROL_ADDRESS,
        envvar="RIG_SPARK_CONTROL",
        help="Control port of a cloud that runs; on TCP its token is in RIG_TOKEN_FILE.",
    ),
]
CORE = Annotated[str, typer.Argument(help="A Core's id, 24 hex digits.")]
DEFAULT_CONTROL = usual_control("spark")


@app.callback()
def _serve(
    context: typer.Context,
    listen: Annotated[str, typer.Option(metavar="HOST:PORT", help="Where Cores connect.")] = "127.0.0.1:5683",
    control: Annotated[str, typer.Option(metavar=CONTROL_ADDRESS, help="Where commands connect.")] = DEFAULT_CONTROL,
    token_file: TOKEN_FILE = None,
    files: FILES = None,
    server_key: Annotated[Path, typer.Option(help="Private key, PEM; made when it is not there.")] = Path(
        "spark-server.pem"
    ),
    core_keys: Annotated[Path, typer.Option(help="Folder with a file ID.pub.pem for each Core.")] = Path("core_keys"),
    fault: Annotated[
        list[str] | None,
        typer.Option(
            metavar="KIND[@CHUNK][*TIMES][:SECONDS]", help="What is to go wrong, e.g. stall@3:4; may be repeated."
        ),
    ] = None,
    api: Annotated[
        str | None,
        typer.Option(metavar="HOST:PORT", help="Where spark-cli and scripts connect over HTTP, e.g. 127.0.0.1:8080."),
    ] = None,
    http_name: HTTP_NAME = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON line when it is ready.")] = False,
) -> None:
    if context.invoked_subcommand is not None:
        return
    from rig.control.serving import announce
    from rig.families.spark_core.lab.cloud import SparkCloudPlan, serve_spark_cloud

    plan = SparkCloudPlan(
        listen=listen,
        control=control,
        server_key=server_key,
        core_keys=core_keys,
        faults=fault or (),
        api=api,
        token_file=token_file,
        files=files or (),
        names=http_name or (),
    )
    serve_spark_cloud(plan, announce if as_json else _say_ready)


def _say_ready(ready: Any) -> None:
    print_lines(f"A Spark cloud listens on {address_of_port(ready['listen'])}")
    print_lines(f"  its key is {ready['server_key']}, the Cores it knows are in {ready['core_keys']}")
    if ready["public_key_file"]:
        print_lines(f"  the key's public half, for Cores to know, is {ready['public_key_file']}")
    print_lines(f"  ask it:   rig cloud spark list --control {ready['control']['address']}")
    if "token_file" in ready["control"]:
        print_lines(f"  others need a copy of {ready['control']['token_file']}, named by RIG_TOKEN_FILE")
    if ready["api"]:
        url = f"http://{address_of_port(ready['api'])}"
        print_lines(f"  over HTTP: {url}/v1/devices, with the access token in {ready['api']['token_file']}")


@app.command("list")
def list_cores(control: CONTROL = DEFAULT_CONTROL, as_json: JSON = False) -> None:
    """Show the Cores that are online."""
    cores = _client(control).ask("list")["cores"]
    if as_json:
        print_json({"cores": cores})
        return
    import time

    from rich.table import Column

    from rig.terminal.tables import grid, show

    table = grid(Column("core", no_wrap=True), "since", Column("peer", no_wrap=True), "updated", "updating")
    for core in cores:
        since = time.strftime("%H:%M:%S", time.localtime(core["since"]))
        marks = ("yes" if core[key] else "" for key in ("updated", "updating"))
        table.add_row(core["core"], since, core["peer"], *marks)
    show(table)


@app.command()
def describe(core: CORE, control: CONTROL = DEFAULT_CONTROL, as_json: JSON = False) -> None:
    """Show a Core's functions and variables, with their values."""
    client = _client(control)
    answer = client.ask("describe", core=core)
    values = {name: client.ask("variable", core=core, name=name)["value"] for name in answer["v"]}
    if as_json:
        print_json({"functions": answer["f"], "variables": answer["v"], "values": values})
        return
    print_lines(f"functions: {', '.join(answer['f']) or 'none'}")
    for name, kind in answer["v"].items():
        print_lines(f"{name} ({kind}) = {values[name]}")


@app.command()
def call(
    core: CORE,
    function: Annotated[str, typer.Argument(help="Name of the function.")],
    argument: Annotated[str, typer.Argument(help="What it gets.")] = "",
    control: CONTROL = DEFAULT_CONTROL,
    as_json: JSON = False,
) -> None:
    """Call a function and print what it returns; -1 also stands for one that does not exist."""
    returned = _client(control).ask("call", core=core, name=function, argument=argument)["returned"]
    print_result(as_json, {"returned": returned}, str(returned))


@app.command()
def events(
    core: Annotated[str | None, typer.Argument(help="Only of this Core.")] = None,
    control: CONTROL = DEFAULT_CONTROL,
    as_json: JSON = False,
) -> None:
    """Print what happens until Ctrl-C."""
    print_events(_client(control), _event_line, as_json=as_json, core=core)


def _event_line(event: dict[str, Any]) -> str:
    rest = " ".join(f"{key}={value}" for key, value in event.items() if key not in ("event", "core", "at_ns"))
    return f"{event['core'] or '-':24} {event['event']:18} {rest}"


@app.command()
def flash(
    core: CORE,
    file: Annotated[Path, typer.Argument(help="Image; a DFU suffix or DfuSe container is taken off.")],
    control: CONTROL = DEFAULT_CONTROL,
    chunk_size: Annotated[int, typer.Option(help="256 or 512.")] = 256,
    fast: Annotated[bool, typer.Option("--fast", help="Without waiting for answers; 0.4 and later.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Also what a Core could not run.")] = False,
    ledger: Annotated[
        Path | None, typer.Option(help="Ledger to note the update in; `rig deep-update` looks at a Core's last ones.")
    ] = None,
    as_json: JSON = False,
) -> None:
    """Update a Core over the air; it succeeded when the Core is back and says so."""
    from rig.evidence.ledger import Ledger
    from rig.families.spark_core.lab.dfu import image_for_core

    image = image_for_core(file, force=force)
    book = Ledger(ledger) if ledger is not None else None
    with _Progress(as_json) as progress:
        result = _client(control).flash(core, image, progress.show, chunk_size=chunk_size, fast=fast, force=force)
    if book is not None:
        with book:
            book.append("update", {"core": core.lower(), "applied": result["ok"], "reason": result["reason"]})
    if as_json:
        print_json(result)
    elif result["ok"]:
        print_lines(f"{core} runs {file.name}: {result['chunks']} chunks in {result['transfer_seconds']:.2f} s, "
              f"back after {result['seconds']:.1f} s")  # fmt: skip
    if not result["ok"]:
        from rig.errors import DeviceFault

        raise DeviceFault(result["reason"], board=core)


class _Progress:
    """A bar over the chunks; with JSON, the events."""

    def __init__(self, as_json: bool):
        self._as_json = as_json

    def __enter__(self) -> _Progress:
        from rich.progress import Progress

        from rig.terminal.tables import console

        self._bar = Progress(console=console(stderr=True), disable=self._as_json or not sys.stderr.isatty())
        self._bar.start()
        self._task = self._bar.add_task("beginning", total=None)
        return self

    def __exit__(self, *_exc: object) -> None:
        self._bar.stop()

    def show(self, event: dict[str, Any]) -> None:
        """Show an event."""
        if self._as_json:
            print_json(event)
        elif event["event"] == "chunk":
            self._bar.update(self._task, total=event["of"], completed=event["index"] + 1, description="sending")
        else:
            words = {"begin-sent": "erasing", "done-sent": "finishing", "offline": "copying", "online": "back"}
            self._bar.update(self._task, description=words.get(event["event"]))


def _client(control: str) -> Any:
    from rig.families.spark_core.drivers.cloud import SparkCloudClient

    return SparkCloudClient.at(running(control, DEFAULT_CONTROL, "RIG_SPARK_CONTROL"))
