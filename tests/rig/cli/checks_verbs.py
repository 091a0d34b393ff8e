"""Named checks of test_mutants about verbs: those that families bring, and what every twin's have."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from unittest.mock import patch

import typer
from typer.testing import CliRunner

from rig import registry
from rig.cli import family_verbs
from rig.cli.family_verbs import VerbGroup, add_family_verbs
from rig.errors import LabFault
from rig.family.twin_settings import TwinSettings
from rig.family.verb import Verb
from rig.terminal import twin_options


def a_family(*verbs: Verb):
    return lambda: SimpleNamespace(verbs=verbs)


def broken():
    raise RuntimeError("made for another rig")


@contextmanager
def the_command(**families) -> Iterator[typer.Typer]:
    """A command with `run` and `twin relay`, and what these families bring, each by what loads it."""
    points = tuple(SimpleNamespace(name=kind, value=f"{kind}:FAMILY", load=load) for kind, load in families.items())
    app, twin = typer.Typer(cls=VerbGroup), typer.Typer(cls=VerbGroup)
    app.command("run")(lambda: print("the rig's own"))
    twin.command("relay")(lambda: print("the rig's own"))
    app.add_typer(twin, name="twin")
    registry._found.cache_clear()
    registry.family.cache_clear()
    try:
        with patch.object(registry, "entry_points", lambda group: points), patch.dict(family_verbs.missing, clear=True):
            try:
                add_family_verbs({"": app, "twin": twin})
            except Exception as error:
                raise AssertionError(f"the command does not start: {error!r}") from error
            yield app
    finally:
        registry._found.cache_clear()
        registry.family.cache_clear()


GLOW = Verb("glow", lambda: print("it glows"))


def a_family_that_does_not_load_leaves_the_others_their_verbs(_folder):
    with the_command(lamp=a_family(GLOW), broom=broken, sieve=lambda: SimpleNamespace()) as app:
        assert "it glows" in CliRunner().invoke(app, ["glow"]).output
        assert sorted(family_verbs.missing) == ["broom", "sieve"]


def who_asks_for_a_kind_that_does_not_load_is_told_why(_folder):
    with the_command(broom=broken) as app:
        told = CliRunner().invoke(app, ["twin", "broom"])
        assert isinstance(told.exception, LabFault), told.output
        assert "boards of kind broom do not load: made for another rig" in str(told.exception)


def who_asks_for_a_verb_that_is_missing_is_told_which_kinds_do_not_load(_folder):
    with the_command(broom=broken) as app:
        told = CliRunner().invoke(app, ["sweep"])
        assert told.exit_code == 2
        assert "No such command 'sweep'" in told.stderr
        assert "rig: the boards of kind broom do not load: made for another rig" in told.stderr


def no_family_takes_a_verb_that_is_there(_folder):
    own = Verb("run", lambda: print("it runs away"))
    with the_command(lamp=a_family(GLOW), moth=a_family(own), wick=a_family(GLOW)) as app:
        assert "the rig's own" in CliRunner().invoke(app, ["run"]).output
        assert str(family_verbs.missing["moth"]).startswith("the verbs of kind moth are left out: `rig run` is there")
        assert "`rig glow` is there already" in str(family_verbs.missing["wick"])


def a_verb_under_one_that_takes_none_leaves_the_command_alone(_folder):
    with the_command(lamp=a_family(Verb("glow", print, under="report"))) as app:
        assert "the rig's own" in CliRunner().invoke(app, ["run"]).output
        assert "report takes no verbs" in str(family_verbs.missing["lamp"])


def a_twin_is_served_as_the_options_of_every_twin_say(_folder):
    served = []
    app = typer.Typer(invoke_without_command=True)

    @app.callback()
    @twin_options.with_twin_options("flash.bin")
    def _serve(settings: TwinSettings, wings: int = 2) -> None:
        served.append((settings, wings))

    app.command("boot")(lambda: None)
    words = "--state there --power off --seed 3 --time-scale 0.5 --host ::1 --control 9 --token-file t --manifest m"
    CliRunner().invoke(app, [*words.split(), "--wings", "4"])
    CliRunner().invoke(app, ["boot"])
    options = {"control": "9", "token_file": Path("t"), "host": "::1", "manifest": Path("m")}
    expected = TwinSettings(state=Path("there"), powered=False, seed=3, time_scale=0.5, **options)
    assert served == [(expected, 4)]
