"""`rig trust`: the identities of servers, seen, watched, planned and changed."""

from __future__ import annotations

import typer

from rig.cli import trust_probe, trust_swap, trust_timeline, trust_watch

app = typer.Typer(
    help="Servers' certificates against what shipped firmware pins: what is served, when it goes dark, and how it is "
    "changed.",
    no_args_is_help=True,
)
app.command("probe")(trust_probe.probe)
app.command("timeline")(trust_timeline.timeline)
app.command("watch")(trust_watch.watch)
app.command("swap")(trust_swap.swap)
