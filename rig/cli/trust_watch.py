"""`rig trust watch`: endpoints looked at day and night, against the pins of the firmware in the field."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rig.errors import Misuse
from rig.terminal.output import TolerantOutput, print_error, print_json, print_lines, print_lines_to

if TYPE_CHECKING:
    from rig.trust.watch.memory import Alert
    from rig.trust.watch.service import WatchCallbacks
    from rig.trust.watch.watch import Round

STYLES = {"critical": "bold red", "warning": "yellow", "info": "dim"}


def watch(
    config: Annotated[Path | None, typer.Argument(help="What to look at and whom to tell, TOML.")] = None,
    once: Annotated[bool, typer.Option("--once", help="One round, for cron; its exit status says what holds.")] = False,
    state: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="What was seen and told; the config's if not given.")
    ] = None,
    check_config: Annotated[
        bool, typer.Option("--check-config", help="Only say whether the config, and all it names, is right.")
    ] = False,
    example: Annotated[bool, typer.Option("--example", help="Print a config with comments.")] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print JSON: an alert a line; with --once one object.")
    ] = False,
) -> None:
    """Look at servers day and night, and tell when firmware in the field will not, or does not, accept them.

    It tells before (a certificate ends, its renewal comes or was missed, an intermediate that some firmware does not
    accept is seen at any address) and on change: each fact once, also across restarts, to every webhook and command
    of the config and to Prometheus. To begin:

        rig trust watch --example > watch.toml

        rig trust watch watch.toml --check-config

        rig trust watch watch.toml

    Without --once it serves until SIGTERM or Ctrl-C; SIGHUP reads the config again. Exit status of --once: 0 good,
    1 something is wrong with a server or firmware goes dark, 2 misuse, 3 an address could not be reached.
    """
    if example:
        from rig.trust.watch.example import EXAMPLE

        print_lines(*EXAMPLE.splitlines())
        return
    if config is None:
        raise Misuse("which config?", hint="rig trust watch --example > watch.toml")
    from rig.trust.watch import service as watch_service

    if check_config:
        _print_check(watch_service.check(config), as_json)
    elif once:
        done = watch_service.watch_once(config, state, watch_service.WatchCallbacks(on_message=print_error))
        _print_round(done, as_json)
        raise typer.Exit(done.exit_status)
    else:
        watch_service.watch_on(config, state, _audience(as_json))


def _audience(as_json: bool) -> WatchCallbacks:
    """Whoever reads our output; webhooks and commands are told whether or not anybody does."""
    from rig.trust.watch.service import WatchCallbacks

    out, errors = TolerantOutput(os.dup(1)), TolerantOutput(os.dup(2))

    def ready(ready_line: Any) -> None:
        if as_json:
            print_json(ready_line, to=out)
            return
        port = f", figures at port {ready_line['metrics']}" if ready_line["metrics"] else ""
        print_lines_to(
            out, f"Watching {_count(ready_line['endpoints'], 'endpoint')} for {_kinds(ready_line['firmware'])}{port}"
        )

    def on_alert(alert: Alert) -> None:
        print_json(alert.model_dump(mode="json"), to=out) if as_json else print_lines_to(out, str(alert))

    return WatchCallbacks(on_alert, ready, lambda text: print_lines_to(errors, f"rig: {text}"))


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def _kinds(firmware: list[str]) -> str:
    return f"{_count(len(firmware), 'kind')} of firmware" if firmware else "no firmware"


def _print_check(checked: dict[str, Any], as_json: bool) -> None:
    if as_json:
        print_json(checked)
        return
    import textwrap

    endpoints, firmware = _count(len(checked["endpoints"]), "endpoint"), _kinds(checked["firmware"])
    print_lines(f"{checked['config']} is right: {endpoints}, {firmware}, state in {checked['state']}")
    for line in textwrap.wrap(", ".join(checked["firmware"]), 100, break_on_hyphens=False):
        print_lines(f"  {line}")
    for server, names in checked["unwatched"].items():
        print_lines(f"  not watched: {server}, which {', '.join(names)} asks")
    if not checked["channels"]:
        print_lines("  nobody is told: there is no [[alert.webhook]] and no [[alert.command]]")


def _print_round(done: Round, as_json: bool) -> None:
    facts = [(subject, fact) for subject, fact in done.facts]
    if as_json:
        result = {
            "at": done.at.isoformat(),
            "status": done.exit_status,
            "alerts": [alert.model_dump(mode="json") for alert in done.alerts],
            "facts": [{"subject": subject, **fact.model_dump(mode="json")} for subject, fact in facts],
            "queued": done.queued,
            "errors": list(done.errors),
        }
        print_json(result)
        return
    from rig.terminal.tables import grid, show, styled

    for alert in done.alerts:
        if alert.status != "raised":
            show(styled(str(alert), STYLES[alert.level]), soft_wrap=True)
    if facts:
        table = grid("level", "server or firmware", "what holds", "since")
        for subject, fact in sorted(facts, key=lambda one: list(STYLES).index(one[1].level)):
            table.add_row(fact.level, subject, fact.text, f"{fact.since:%Y-%m-%d %H:%M}", style=STYLES[fact.level])
        show(table)
    waiting = ", ".join(f"{count} for {name}" for name, count in done.queued.items() if count)
    what = f"{len(facts)} facts hold" if facts else "nothing is wrong"
    show(f"{what}; {len(done.alerts)} alerts are new" + (f"; still to be delivered: {waiting}" if waiting else ""))
