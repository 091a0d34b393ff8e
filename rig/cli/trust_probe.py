"""`rig trust probe`: what servers show, to whom, and what is wrong with it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rig.errors import Misuse
from rig.ports import format_address
from rig.terminal.output import print_json

if TYPE_CHECKING:
    from socket import AddressFamily

    from rich.console import RenderableType

    from rig.trust.probe.report import AddressView, HostReport

STYLES = {"broken": "bold red", "unknown": "magenta", "warning": "yellow", "note": "dim"}


def probe(
    hosts: Annotated[list[str], typer.Argument(metavar="HOST[:PORT]...", help="Whom to look at; port 443.")],
    address: Annotated[
        list[str] | None,
        typer.Option(metavar="IP[:PORT]", help="Look here, and not where the name leads; may be repeated."),
    ] = None,
    roots: Annotated[
        Path | None, typer.Option(metavar="PATH", help="Roots, a PEM file or a folder; else this machine's.")
    ] = None,
    before: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="What --json printed earlier: kept keys, changes, addresses left behind."),
    ] = None,
    family: Annotated[str, typer.Option(help="Which addresses of a name: any, ipv4 or ipv6.")] = "any",
    revocation: Annotated[
        bool, typer.Option("--revocation/--no-revocation", help="Ask the CRLs and OCSP responders of certificates.")
    ] = True,
    heartbleed: Annotated[
        bool, typer.Option("--heartbleed/--no-heartbleed", help="Ask for a heartbeat, harmlessly.")
    ] = True,
    warn_days: Annotated[float, typer.Option(min=0, help="Fewer days left than this is a warning.")] = 14,
    seconds: Annotated[float, typer.Option(min=0.1, max=600, help="Patience with each handshake.")] = 10,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object a host, each on a line.")] = False,
) -> None:
    """Look at what servers show at every address of their names: chains, keys, versions, revocation, Heartbleed.

    Name servers of your own, or whose owners want it: they see some ten handshakes and a few pairs of heartbeats, and
    nothing of their memory is asked for.

    For example, before and after a change of certificates:

        rig trust probe ota.example.com --json > before.jsonl

        rig trust probe ota.example.com --before before.jsonl

    Exit status: 0 nothing wrong, 1 something is broken, 2 misuse, 3 something could not be seen.
    """
    import asyncio
    import warnings

    from cryptography.utils import CryptographyDeprecationWarning

    from rig.trust.probe.probe import ProbePlan, Target
    from rig.trust.probe.probe import probe as look
    from rig.trust.probe.report import load_reports
    from rig.trust.probe.roots import load_roots, system_roots

    plan = ProbePlan(
        roots=load_roots(roots) if roots is not None else system_roots(),
        addresses=[_address(text) for text in address or ()],
        family=_family(family),
        asks_revocation=revocation,
        asks_heartbeats=heartbleed,
        before=load_reports(before) if before is not None else None,
        warn_days=warn_days,
        seconds=seconds,
    )
    warnings.simplefilter("ignore", CryptographyDeprecationWarning)  # strangers' certificates may break rules
    reports = asyncio.run(look([Target.parse(host) for host in hosts], plan))
    for report in reports:
        print_json(report.model_dump(mode="json")) if as_json else _show(report)
    statuses = {report.exit_status for report in reports}
    raise typer.Exit(1 if 1 in statuses else max(statuses))


def _address(text: str) -> tuple[str, int | None]:
    from rig.trust.look.dialling import is_ip
    from rig.trust.probe.probe import Target

    if is_ip(text):
        return text, None
    target = Target.parse(text)
    if not is_ip(target.host):
        raise Misuse(f"--address {text} is no IP address", hint="such as 192.0.2.1 or [2001:db8::1]:8443")
    return target.host, target.port


def _family(text: str) -> AddressFamily:
    import socket

    families = {"any": socket.AF_UNSPEC, "ipv4": socket.AF_INET, "ipv6": socket.AF_INET6}
    if text not in families:
        raise Misuse(f"--family {text} is none", hint=f"one of {', '.join(families)}")
    return families[text]


def _show(report: HostReport) -> None:
    from rig.terminal.tables import Grid, show, styled

    elsewhere = all(address.port != report.port for address in report.addresses)
    show(styled(report.host if elsewhere else format_address(report.host, report.port), "bold"))
    for address in report.addresses:
        if address.error is None:
            show(_chains(address), _clients(address))
    table = Grid.grid(padding=(0, 1))
    for finding in report.findings:
        where = f"{finding.address}: " if finding.address is not None else ""
        table.add_row(styled(finding.level, STYLES[finding.level]), finding.code, where + finding.text)
    show(table if report.findings else styled("nothing is wrong", "green"))


def _chains(address: AddressView) -> RenderableType:
    from rig.terminal.tables import grid

    title = format_address(address.address, address.port)
    table = grid("certificate", "key", "until", "signed", "sha256", title=title)
    table.title_justify = "left"
    for chain in address.chains:
        for depth, one in enumerate(chain.certificates):
            until, mark = f"{one.not_after:%Y-%m-%d}", f"{one.sha256[:16]}…"
            table.add_row("  " * depth + one.subject, one.key, until, one.digest or "?", mark)
        table.add_row(f"→ {', '.join(chain.roots) or 'no root that is known'}", "", "", "", "", end_section=True)
    return table


def _clients(address: AddressView) -> RenderableType:
    from rig.terminal.tables import grid

    table = grid("client", "version", "suite", "is shown", box=None, pad_edge=False)
    kinds = {chain.leaf.sha256: chain.leaf.key for chain in address.chains}
    for name, client in address.clients.items():
        fared = {True: client.version, False: "refused", None: "not seen"}[client.accepted]
        table.add_row(name, fared, client.cipher or "", kinds.get(client.leaf or "", ""))
    table.add_row("heartbeats", address.heartbeats or ("not seen" if address.heartbeats_refused else "not asked"))
    return table
