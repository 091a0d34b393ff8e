"""`rig trust swap`: another identity for an nginx on another machine."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rig.errors import Misuse, RigError
from rig.terminal.output import print_json, print_lines

if TYPE_CHECKING:
    from rig.trust.remote.nginx import Step
    from rig.trust.remote.plan import NginxPlan

EXAMPLE = "rig trust swap deploy@ota.example --name ota.example --chain chain.pem --key key.pem"


@dataclass(frozen=True)
class _Wanted:
    """What is to be shown: an identity in files here, chain and key; without files the former one again."""

    files: tuple[Path, Path] | None
    accepted: list[str]
    is_look_only: bool


def swap(
    server: Annotated[
        str, typer.Argument(metavar="USER@HOST[:PORT]|FILE", help="Where to log in, or a file of servers.")
    ],
    entry: Annotated[str | None, typer.Argument(metavar="[NAME]", help="Which server of the file.")] = None,
    chain: Annotated[
        Path | None, typer.Option(help="PEM here: the new chain, the server's own certificate first.")
    ] = None,
    key: Annotated[Path | None, typer.Option(help="PEM here: its private key.")] = None,
    restore: Annotated[bool, typer.Option("--restore", help="Show the identity before this one again.")] = False,
    name: Annotated[list[str] | None, typer.Option(metavar="NAME", help="What clients dial; may be repeated.")] = None,
    live_chain: Annotated[
        str | None, typer.Option(metavar="PATH", help="On the server, as ssl_certificate names it.")
    ] = None,
    live_key: Annotated[
        str | None, typer.Option(metavar="PATH", help="On the server, as ssl_certificate_key names it.")
    ] = None,
    address: Annotated[
        list[str] | None,
        typer.Option(metavar="HOST:PORT", help="Where clients meet it, port 443 there otherwise; may be repeated."),
    ] = None,
    identity_file: Annotated[
        list[Path] | None, typer.Option(help="Private key to log in with; an agent's and the usual ones otherwise.")
    ] = None,
    known_hosts: Annotated[
        Path | None, typer.Option(help="Host keys that are taken; ~/.ssh/known_hosts otherwise.")
    ] = None,
    host_key: Annotated[
        str | None,
        typer.Option(metavar="'TYPE BASE64'", help="The only host key that is taken, as ssh-keyscan prints it."),
    ] = None,
    nginx: Annotated[
        str | None, typer.Option(metavar="COMMAND", help="How nginx is called there, e.g. 'sudo -n nginx'.")
    ] = None,
    reload: Annotated[
        str | None,
        typer.Option(metavar="COMMAND", help="Where it is not 'nginx -s reload', e.g. 'systemctl reload nginx'."),
    ] = None,
    roots: Annotated[
        Path | None, typer.Option(help="PEM: roots the chain is to lead to; this system's otherwise.")
    ] = None,
    manifest: Annotated[
        Path | None, typer.Option(help="Firmware in the field: what it would refuse is refused; with --pins.")
    ] = None,
    pins: Annotated[Path | None, typer.Option(metavar="FOLDER", help="NAME.pem for each certificate it pins.")] = None,
    accept: Annotated[
        list[str] | None, typer.Option(metavar="FLAW", help="A flaw that is wanted, e.g. expired; may be repeated.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Look at everything, change nothing.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Show another identity at a remote nginx.

    It is checked, uploaded beside the live one, tested, renamed in one step,
    reloaded, and looked at from outside. Downloads that run go on. When clients
    do not see exactly the new chain, it is undone.

    The live files become links into LIVE_CHAIN.releases at the first swap, so
    that chain and key change at once; who could read them still can, and a first
    swap that fails puts them back. The former identity stays for --restore.
    What a swap that died was at is ended by the next one. A certificate that is
    for fewer names than the live one needs --accept fewer-names.

      rig trust swap deploy@ota.example --name ota.example
        --live-chain /etc/nginx/tls/ota.pem --live-key /etc/nginx/tls/ota.key
        --chain chain.pem --key key.pem

      rig trust swap servers.toml ota --chain chain.pem --key key.pem

    where servers.toml has a table for each server: ssh, names, live_chain,
    live_key, and if need be addresses, identity_files, known_hosts, host_key,
    nginx, reload, roots, manifest, pins, seconds.
    """
    _undo_on_sigterm()
    options = {
        "names": name,
        "live_chain": live_chain,
        "live_key": live_key,
        "addresses": address,
        "identity_files": identity_file,
        "known_hosts": known_hosts,
        "host_key": host_key,
        "nginx": _words(nginx, "--nginx"),
        "reload": _words(reload, "--reload"),
        "roots": roots,
        "manifest": manifest,
        "pins": pins,
    }
    wanted = _Wanted(_files(chain, key, restore), accept or [], dry_run)
    plan = _plan(server, entry, {field: value for field, value in options.items() if value})
    if as_json:
        _swap_in_json(plan, wanted)
    else:
        _swap_in_words(plan, wanted)


def _undo_on_sigterm() -> None:
    """What is half done when the command is told to end is undone first, as at Ctrl-C."""
    import signal

    signal.signal(signal.SIGTERM, signal.default_int_handler)


def _files(chain: Path | None, key: Path | None, restore: bool) -> tuple[Path, Path] | None:
    """Chain and key of the new identity; None where the former one is to be restored. Raises Misuse."""
    if restore and chain is None and key is None:
        return None
    if restore or chain is None or key is None:
        raise Misuse("a swap needs --chain and --key, or --restore", hint=EXAMPLE)
    return chain, key


def _words(command: str | None, option: str) -> list[str] | None:
    """A command as a shell reads it. Raises Misuse."""
    import shlex

    if command is None:
        return None
    try:
        words = shlex.split(command)
    except ValueError as error:
        raise Misuse(
            f"{option} {command!r} is no command: {str(error).lower()}", hint="quotes come in pairs"
        ) from error
    if not words:
        raise Misuse(f"{option} names no command")
    return words


def _plan(server: str, entry: str | None, options: dict[str, Any]) -> NginxPlan:
    """From a line of options, or a file and what is to differ from it. Raises Misuse."""
    from rig.trust.remote.plan import make_plan, read_plan

    if "@" in server and entry is None:
        for field, option in (("names", "--name"), ("live_chain", "--live-chain"), ("live_key", "--live-key")):
            if field not in options:
                raise Misuse(f"{server} needs {option}", hint="or keep it in a file: rig trust swap servers.toml NAME")
        return make_plan(ssh=server, **options)
    if entry is None:
        raise Misuse(f"{server!r} is not USER@HOST, and of a file of servers one is to be named", hint=EXAMPLE)
    plan = read_plan(Path(server), entry)
    return make_plan(**{**plan.model_dump(), **options}) if options else plan


def _swap_in_words(plan: NginxPlan, wanted: _Wanted) -> None:
    """A line for each step, when it is done; an error is the caller's to tell."""
    shown = _act(plan, wanted, lambda step: print_lines(f"{step.what:14} {step.text}"))
    if shown:
        print_lines(f"{', '.join(plan.names)}: sha256 {shown['shown']} is shown, until now it was {shown['former']}")


def _swap_in_json(plan: NginxPlan, wanted: _Wanted) -> None:
    """One object with all steps, of an error too."""
    steps: list[Step] = []
    try:
        shown = _act(plan, wanted, steps.append)
    except RigError as error:
        undone = getattr(error, "is_rolled_back", None)
        _print(plan, steps, error=error.message, hint=error.hint, rolled_back=undone)
        sys.exit(error.exit_status)
    _print(plan, steps, changed=not wanted.is_look_only, **shown)


def _act(plan: NginxPlan, wanted: _Wanted, on_step: Callable[[Step], None]) -> dict[str, str]:
    """The fingerprints that were and are shown; nothing of a look. Raises RigError."""
    from rig.trust.identity import Identity
    from rig.trust.remote.judgement import judge
    from rig.trust.remote.nginx import RemoteNginx
    from rig.trust.remote.ssh import SshSession

    identity = Identity.load(*wanted.files) if wanted.files is not None else None
    if identity is not None:
        judge(identity, plan, wanted.accepted)  # before anybody is called
    with SshSession.connect(plan.address) as session:
        remote = RemoteNginx(session, plan, on_step=on_step)
        if wanted.is_look_only:
            remote.look(identity, accepted=wanted.accepted)
            return {}
        former = remote.restore() if identity is None else remote.swap(identity, accepted=wanted.accepted)
        return {"former": former, "shown": remote.shown()}


def _print(plan: NginxPlan, steps: list[Step], **more: object) -> None:
    done = [{"what": step.what, "text": step.text} for step in steps]
    print_json({"server": plan.ssh, "names": list(plan.names), "steps": done, **more})
