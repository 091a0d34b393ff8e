"""`rig cloud`: one update server alone; those that boards of one kind only talk to are their families'."""

from __future__ import annotations

import typer

from rig.cli import cloud_https, cloud_https_files, cloud_https_watch
from rig.cli.family_verbs import VerbGroup

app = typer.Typer(cls=VerbGroup, help="Serve what boards connect to.", no_args_is_help=True)
app.add_typer(cloud_https.https, name="https")
#: Each adds commands of its own to it.
HTTPS_COMMANDS = (cloud_https_files, cloud_https_watch)
