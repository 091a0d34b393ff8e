"""`rig cloud https`: the HTTPS update server alone, and who one that runs is: hosts, identities, the time."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rig.errors import Misuse
from rig.ports import format_address
from rig.terminal.output import address_of_port, print_json, print_lines, print_result
from rig.terminal.server_options import CONTROL_ADDRESS, FILES, JSON, TOKEN_FILE, running, usual_control

if TYPE_CHECKING:
    from rig.drivers.https_cloud import HttpsCloudClient

https = typer.Typer(
    invoke_without_command=True,
    help="An update server over HTTPS, for real boards and twins: images, check-ins, certificates that are swapped "
    "while it runs, faults on demand.\n\n"
    "Without a command it serves until Ctrl-C. The commands speak with one that runs, at its control port.",
)

DEFAULT_CONTROL = usual_control("https")
CONTROL = Annotated[
    str,
    typer.Option(
        metavar=CONTROL_ADDRESS,
        envvar="RIG_HTTPS_CONTROL",
        help="Control port of a server that runs; on TCP its token is in RIG_TOKEN_FILE.",
    ),
]
HOST = Annotated[str, typer.Argument(help="Name of a host it serves.")]
CLIENT = Annotated[
    str | None, typer.Option(metavar="ADDRESS", help="Only for who comes from this address, not for everybody.")
]
#: How people write a fault.
FAULT = "[DEVICE/]KIND[@N][*TIMES][:VALUE]"


@https.callback()
def serve(
    context: typer.Context,
    listen: Annotated[str, typer.Option(metavar="HOST:PORT", help="Where boards connect.")] = "127.0.0.1:8443",
    plain: Annotated[str | None, typer.Option(metavar="HOST:PORT", help="Where boards connect without TLS.")] = None,
    time: Annotated[str | None, typer.Option(metavar="HOST:PORT", help="Where boards ask for the time (SNTP).")] = None,
    control: Annotated[str, typer.Option(metavar=CONTROL_ADDRESS, help="Where commands connect.")] = DEFAULT_CONTROL,
    token_file: TOKEN_FILE = None,
    files: FILES = None,
    state: Annotated[Path, typer.Option(help="Folder of certificates and keys; made when they are not there.")] = Path(
        "https-server"
    ),
    host: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME[=AUTHORITY]", help="A name it serves, and who certifies it; may be repeated."),
    ] = None,
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
    from rig.control.serving import announce
    from rig.servers.https.process import HttpsCloudPlan, serve_https_cloud

    plan = HttpsCloudPlan(
        listen=listen,
        control=control,
        state=state,
        hosts=host or ["localhost"],
        plain=plain,
        time=time,
        publish=publish or (),
        faults=fault or (),
        token_file=token_file,
        files=files or (),
    )
    serve_https_cloud(plan, announce if as_json else _say_ready)


def _say_ready(ready: Any) -> None:
    port = ready["listen"]["port"]
    for host in ready["hosts"]:
        print_lines(f"An update server listens as https://{format_address(host, port)}/")
    if ready["plain"]:
        print_lines(f"  and without TLS on {address_of_port(ready['plain'])}")
    print_lines(f"  who is to trust it needs {ready['ca']}; firmware's pins by name are in {ready['trust']}")
    print_lines(f"  ask it:   rig cloud https list --control {ready['control']['address']}")
    if "token_file" in ready["control"]:
        print_lines(f"  others need a copy of {ready['control']['token_file']}, named by RIG_TOKEN_FILE")


@https.command("list")
def list_hosts(control: CONTROL = DEFAULT_CONTROL, as_json: JSON = False) -> None:
    """Show hosts and the identities they show now, and the files that can be downloaded."""
    answer = client_at(control).ask("list")
    if as_json:
        print_json({key: value for key, value in answer.items() if key != "done"})
        return
    for host in answer["hosts"]:
        shown = host["identity"]
        print_lines(f"{host['host']:24} {shown['issuer']}, until {shown['not_after']}, sha256 {shown['sha256'][:16]}…")
    for file in answer["files"]:
        print_lines(f"{file['path']:24} {file['size']} bytes, sha256 {file['sha256'][:16]}…")


@https.command()
def swap(
    host: HOST,
    identity: Annotated[str | None, typer.Argument(help="An identity the server knows by name.")] = None,
    chain: Annotated[Path | None, typer.Option(help="PEM, the server's own certificate first.")] = None,
    key: Annotated[Path | None, typer.Option(help="PEM, its private key.")] = None,
    client: CLIENT = None,
    control: CONTROL = DEFAULT_CONTROL,
    as_json: JSON = False,
) -> None:
    """Show another identity from the next handshake on; downloads that run go on."""
    from rig.drivers.https_cloud import pem_of

    if (chain is None) != (key is None):
        raise Misuse("a chain and a key go together", hint="--chain FILE --key FILE")
    pem = pem_of(chain, key) if chain is not None and key is not None else {}
    shown = client_at(control).ask("swap", host=host, identity=identity, client=client, **pem)["identity"]
    print_result(as_json, shown, f"{host} shows {shown['subject']} by {shown['issuer']}")


@https.command()
def forget(
    client: Annotated[str, typer.Argument(help="The address it comes from.")],
    control: CONTROL = DEFAULT_CONTROL,
    as_json: JSON = False,
) -> None:
    """Show a client for whom something was swapped what everybody meets."""
    client_at(control).ask("forget", client=client)
    print_result(as_json, {"client": client}, f"{client} meets what everybody meets")


@https.command()
def clock(
    client: Annotated[str, typer.Argument(help="The address it comes from.")],
    now: Annotated[
        str | None, typer.Argument(metavar="[TIME]", help="As 2034-01-01T00:00Z; the truth if not given.")
    ] = None,
    control: CONTROL = DEFAULT_CONTROL,
    as_json: JSON = False,
) -> None:
    """Let a client that asks for the time (SNTP) believe that it is another."""
    seconds = _read_time(now).timestamp() if now is not None else None
    client_at(control).set_clock(client, seconds)
    print_result(as_json, {"client": client, "now": seconds}, f"{client} is told {now or 'the truth'}")


@https.command()
def authorities(as_json: JSON = False) -> None:
    """Show who can certify a host: authorities that stand in for the public web's, with their dates."""
    from rig.trust.web_pki import AUTHORITIES

    if as_json:
        dates = {
            name: {"under": one.under, "begins": one.begins, "ends": one.ends} for name, one in AUTHORITIES.items()
        }
        print_json(dates)
        return
    for name, one in AUTHORITIES.items():
        print_lines(f"{name:26} {one.begins} to {one.ends}  {f'under {one.under}' if one.under else 'a root'}")


@https.command()
def issue(
    host: HOST,
    name: Annotated[str, typer.Argument(help="What to call the identity.")],
    under: Annotated[
        str, typer.Option(metavar="AUTHORITY", help="Who certifies it; `rig cloud https authorities` shows them.")
    ] = "rig-intermediate",
    key: Annotated[str, typer.Option(help="p256, p384, rsa-1024 to rsa-4096, or kept: the one shown now.")] = "p256",
    names: Annotated[
        list[str] | None, typer.Option("--for", help="A name it is for, if not the host's; may be repeated.")
    ] = None,
    begins: Annotated[str | None, typer.Option(metavar="TIME", help="As 2024-05-25T00:00Z; a day ago.")] = None,
    days: Annotated[float, typer.Option(help="How long it is valid.")] = 90,
    digest: Annotated[str, typer.Option(help="sha256, sha384 or sha1.")] = "sha256",
    must_staple: Annotated[bool, typer.Option("--must-staple", help="Promise OCSP responses.")] = False,
    behind: Annotated[
        list[str] | None,
        typer.Option(metavar="AUTHORITY", help="What is served behind it, in this order; `none` for nothing."),
    ] = None,
    padding: Annotated[int, typer.Option(help="KiB of certificates of nobody's behind.")] = 0,
    client: CLIENT = None,
    control: CONTROL = DEFAULT_CONTROL,
    as_json: JSON = False,
) -> None:
    """Make another identity for a host, to be swapped to by its name."""
    recipe: dict[str, Any] = {"under": under, "key": key, "names": names or [], "days": days, "digest": digest}
    recipe |= {"begins": _begins(begins), "must_staple": must_staple, "padding": padding}
    if behind:
        recipe["behind"] = [one for one in behind if one != "none"]
    issued = client_at(control).ask("issue", host=host, name=name, recipe=recipe, client=client)["identity"]
    print_result(as_json, issued, f"{name}: by {issued['issuer']}, until {issued['not_after']}")


def _read_time(text: str) -> datetime:
    """A time as people write it, e.g. 2034-01-01 or 2034-01-01T12:00Z; without a zone it is UTC. Raises Misuse."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise Misuse(f"{text} is no time", hint="as 2034-01-01 or 2034-01-01T12:00Z") from None
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)


def _begins(text: str | None) -> str | None:
    """A time as requests have it. Raises Misuse."""
    try:
        return _read_time(text).isoformat() if text is not None else None
    except Misuse as error:
        raise Misuse(f"--begins {error.message}", hint=error.hint) from None


@https.command("add-identity")
def add_identity(
    name: Annotated[str, typer.Argument(help="What to call it.")],
    chain: Annotated[Path, typer.Argument(help="PEM, the server's own certificate first.")],
    key: Annotated[Path, typer.Argument(help="PEM, its private key.")],
    control: CONTROL = DEFAULT_CONTROL,
    as_json: JSON = False,
) -> None:
    """Let the server know an identity, to be swapped to by its name."""
    from rig.drivers.https_cloud import pem_of

    added = client_at(control).ask("add-identity", name=name, **pem_of(chain, key))["identity"]
    print_result(as_json, added, f"{name}: by {added['issuer']}, until {added['not_after']}")


@https.command()
def tls(
    host: Annotated[str | None, typer.Option(help="Only this host; all if not given.")] = None,
    minimum: Annotated[str | None, typer.Option(help="TLSv1, TLSv1.1, TLSv1.2 or TLSv1.3.")] = None,
    maximum: Annotated[str | None, typer.Option(help="TLSv1, TLSv1.1, TLSv1.2 or TLSv1.3.")] = None,
    ciphers: Annotated[str | None, typer.Option(help="Suites of TLS 1.2, as `openssl ciphers` takes them.")] = None,
    delay: Annotated[float | None, typer.Option(help="Seconds of silence after a ClientHello.")] = None,
    client: CLIENT = None,
    control: CONTROL = DEFAULT_CONTROL,
    as_json: JSON = False,
) -> None:
    """Make handshakes differently from the next one on; what is not named stays as it is."""
    wanted = {"minimum": minimum, "maximum": maximum, "ciphers": ciphers, "delay": delay}
    changes = {name: value for name, value in wanted.items() if value is not None}
    settings = client_at(control).ask("tls", host=host, client=client, **changes)
    del settings["done"]
    print_result(
        as_json, settings, f"TLS from {settings['minimum']} to {settings['maximum']}, {settings['delay']:g} s late"
    )


def client_at(control: str) -> HttpsCloudClient:
    """Whom the commands ask."""
    from rig.drivers.https_cloud import HttpsCloudClient

    return HttpsCloudClient.at(running(control, DEFAULT_CONTROL, "RIG_HTTPS_CONTROL"))
