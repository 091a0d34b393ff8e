"""`rig cloud https`: the HTTPS update server alone, and what people ask of one that runs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

https = typer.Typer(
    invoke_without_command=True,
    help="An update server for ESP32s, real ones and twins: images over HTTPS, check-ins, certificates that are "
    "swapped while it runs, faults on demand.\n\n"
    "Without a command it serves until Ctrl-C. The commands speak with one that runs, at its control port.",
)

DEFAULT_CONTROL = "127.0.0.1:8444"
CONTROL = Annotated[
    str, typer.Option(metavar="HOST:PORT", envvar="RIG_HTTPS_CONTROL", help="Control port of a server that runs.")
]
HOST = Annotated[str, typer.Argument(help="Name of a host it serves.")]
JSON = Annotated[bool, typer.Option("--json", help="Print JSON, an object a line.")]
FAULT = "[DEVICE/]KIND[@N][*TIMES][:VALUE]"


@https.callback()
def serve(
    context: typer.Context,
    listen: Annotated[str, typer.Option(metavar="HOST:PORT", help="Where boards connect.")] = "127.0.0.1:8443",
    plain: Annotated[str | None, typer.Option(metavar="HOST:PORT", help="Where boards connect without TLS.")] = None,
    control: Annotated[str, typer.Option(metavar="HOST:PORT", help="Where commands connect.")] = DEFAULT_CONTROL,
    state: Annotated[Path, typer.Option(help="Folder of certificates and keys; made when they are not there.")] = Path(
        "https-server"
    ),
    host: Annotated[list[str] | None, typer.Option(metavar="NAME", help="A name it serves; may be repeated.")] = None,
    publish: Annotated[
        list[str] | None, typer.Option(metavar="[PATH=]FILE", help="A file to be downloaded; may be repeated.")
    ] = None,
    fault: Annotated[
        list[str] | None, typer.Option(metavar=FAULT, help="What is to go wrong, e.g. stall@4096; may be repeated.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON line when it is ready.")] = False,
) -> None:
    """Serve until Ctrl-C."""
    if context.invoked_subcommand is not None:
        return
    from rig.lab.https_cloud import HttpsCloudPlan, serve_https_cloud
    from rig.lab.serving import announce

    plan = HttpsCloudPlan(
        listen=listen,
        control=control,
        state=state,
        hosts=host or ["localhost"],
        plain=plain,
        publish=publish or (),
        faults=fault or (),
    )
    serve_https_cloud(plan, announce if as_json else _say_ready)


def _say_ready(ready: Any) -> None:
    port = ready["listen"]["port"]
    for host in ready["hosts"]:
        print(f"An update server listens as https://{host}:{port}/")
    if ready["plain"]:
        print(f"  and without TLS on {ready['plain']['host']}:{ready['plain']['port']}")
    print(f"  who is to trust it needs {ready['ca']}")
    print(
        f"  ask it:   rig cloud https list --control {ready['control']['host']}:{ready['control']['port']}", flush=True
    )


@https.command("list")
def list_hosts(control: CONTROL = DEFAULT_CONTROL, as_json: JSON = False) -> None:
    """Show hosts and the identities they show now, and the files that can be downloaded."""
    told = _client(control).ask("list")
    if as_json:
        print(json.dumps({key: value for key, value in told.items() if key != "done"}))
        return
    for host in told["hosts"]:
        shown = host["identity"]
        print(f"{host['host']:24} {shown['issuer']}, until {shown['not_after']}, sha256 {shown['sha256'][:16]}…")
    for file in told["files"]:
        print(f"{file['path']:24} {file['size']} bytes, sha256 {file['sha256'][:16]}…")


@https.command()
def swap(
    host: HOST,
    identity: Annotated[str | None, typer.Argument(help="An identity the server knows by name.")] = None,
    chain: Annotated[Path | None, typer.Option(help="PEM, the server's own certificate first.")] = None,
    key: Annotated[Path | None, typer.Option(help="PEM, its private key.")] = None,
    control: CONTROL = DEFAULT_CONTROL,
    as_json: JSON = False,
) -> None:
    """Show another identity from the next handshake on; downloads that run go on."""
    files = {"chain": chain and str(chain.resolve()), "key": key and str(key.resolve())}
    told = _client(control).ask("swap", host=host, identity=identity, **files)["identity"]
    print(json.dumps(told) if as_json else f"{host} shows {told['subject']} by {told['issuer']}")


@https.command()
def issue(
    host: HOST,
    name: Annotated[str, typer.Argument(help="What to call the identity.")],
    under: Annotated[str, typer.Option(help="same, new-intermediate or new-root.")] = "same",
    valid_days: Annotated[float, typer.Option(help="How long it is valid.")] = 90,
    control: CONTROL = DEFAULT_CONTROL,
    as_json: JSON = False,
) -> None:
    """Make another identity for a host, to be swapped to by its name."""
    told = _client(control).ask("issue", host=host, name=name, under=under, valid_days=valid_days)
    print(json.dumps(told) if as_json else f"{name}: by {told['identity']['issuer']}, trusted by {told['ca']}")


@https.command()
def publish(
    file: Annotated[Path, typer.Argument(help="What to publish.")],
    path: Annotated[str | None, typer.Option(help="Where; /NAME of the file otherwise.")] = None,
    control: CONTROL = DEFAULT_CONTROL,
    as_json: JSON = False,
) -> None:
    """Let everybody download a file."""
    told = _client(control).publish(file.resolve(), path)["file"]
    print(json.dumps(told) if as_json else f"{told['path']}: {told['size']} bytes, sha256 {told['sha256']}")


@https.command()
def release(
    product: Annotated[str, typer.Argument(help="What devices ask for.")],
    version: Annotated[str, typer.Argument(help="As devices report it.")],
    file: Annotated[Path, typer.Argument(help="The image.")],
    percentage: Annotated[float, typer.Option(help="Share of devices that get it.")] = 100,
    group: Annotated[list[str] | None, typer.Option(help="Only this group; may be repeated.")] = None,
    device: Annotated[list[str] | None, typer.Option(help="Only this device; may be repeated.")] = None,
    control: CONTROL = DEFAULT_CONTROL,
    as_json: JSON = False,
) -> None:
    """Make an image the newest release of a product."""
    whom = {"percentage": percentage, "groups": group or [], "devices": device or []}
    told = _client(control).release(product, version, file.resolve(), **whom)["release"]
    print(json.dumps(told) if as_json else f"{product} {version}: {told['image']['size']} bytes")


@https.command()
def fault(
    what: Annotated[str, typer.Argument(metavar=FAULT, help="What is to go wrong, e.g. stall@4096.")],
    control: CONTROL = DEFAULT_CONTROL,
    as_json: JSON = False,
) -> None:
    """Let something go wrong with the next download, or until faults are cleared (*0)."""
    from dataclasses import asdict

    from rig.servers.https.faults import Fault

    told = _client(control).ask("fault", **asdict(Fault.parse(what)))["faults"]
    print(json.dumps(told) if as_json else f"{len(told)} to happen")


@https.command()
def events(
    host: Annotated[str | None, typer.Option(help="Only of this host.")] = None,
    device: Annotated[str | None, typer.Option(help="Only of this device.")] = None,
    control: CONTROL = DEFAULT_CONTROL,
    as_json: JSON = False,
) -> None:
    """Print what happens until Ctrl-C."""
    import contextlib
    import signal

    for number in (signal.SIGINT, signal.SIGTERM):  # a shell's background jobs begin with SIGINT ignored
        signal.signal(number, signal.default_int_handler)
    told_by = _client(control).events(host=host, device=device, patience=None)
    with contextlib.suppress(KeyboardInterrupt), told_by as told:
        for event in told:
            print(json.dumps(event) if as_json else _told(event), flush=True)


def _told(event: dict[str, Any]) -> str:
    left_out = ("event", "host", "device", "at_ns", "headers", "ciphers", "versions")
    rest = " ".join(f"{key}={value}" for key, value in event.items() if key not in left_out and value not in (None, ""))
    return f"{event['host'] or '-':20} {event['device'] or '-':12} {event['event']:12} {rest}"


def _client(control: str) -> Any:
    from rig.drivers.https_cloud import HttpsCloudClient

    return HttpsCloudClient.at(control)
