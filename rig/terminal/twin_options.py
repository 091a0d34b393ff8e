"""Options of verbs that serve a twin: those that every twin has, whatever its kind, are written here once."""

from __future__ import annotations

import enum
import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from rig.errors import Misuse
from rig.family.twin_settings import TwinSettings

#: Slower boards end no test.
MOST_TIME_SCALE = 1000


class Power(enum.StrEnum):
    """Whether the board begins with its supply on."""

    on = "on"
    off = "off"


def tcp_port(what: str) -> Any:
    """The option of a TCP port to listen on: that of `what`."""
    return typer.Option(min=0, max=65535, help=f"TCP port of {what}; 0 for any free one.")


def _finite(scale: float) -> float:
    if not 0 <= scale <= MOST_TIME_SCALE:
        raise Misuse(f"--time-scale {scale} is not from 0 to {MOST_TIME_SCALE}", hint="1 is a real board's pace")
    return scale


HOST = Annotated[str, typer.Option(help="Address to listen on with all but the control port.")]
TIME_SCALE = Annotated[
    float,
    typer.Option(callback=_finite, help="Stretches modelled flash and boot times; 0 leaves them out."),
]


def _settings(
    *,
    state: Path | None = None,
    control: Annotated[
        str | None,
        typer.Option(
            "--control",
            "--control-port",
            metavar="unix:PATH|HOST:PORT|PORT",
            help="Control port, if not control.sock in the state folder; on TCP it wants a token.",
        ),
    ] = None,
    token_file: Annotated[
        Path | None, typer.Option(help="File with the token of control ports on TCP, if not one that is made.")
    ] = None,
    host: HOST = "127.0.0.1",
    time_scale: TIME_SCALE = 1.0,
    power: Annotated[Power, typer.Option(help="Supply at the beginning.")] = Power.on,
    seed: Annotated[int, typer.Option(help="Draws what a power cut leaves of the operation in flight.")] = 0,
    manifest: Annotated[Path | None, typer.Option(help="Manifest that says how images behave.")] = None,
) -> TwinSettings:
    """What the options of every twin say. Raises Misuse where no folder was named."""
    if state is None:
        raise Misuse("--state is missing", hint="name a folder for the board's flash; it is made when it is not there")
    return TwinSettings(
        state=state,
        control=control,
        token_file=token_file,
        host=host,
        time_scale=time_scale,
        powered=power is Power.on,
        seed=seed,
        manifest=manifest,
    )


def with_twin_options(files: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """For the function of a typer app that serves a twin: the app has the options of every twin besides its own.

    They reach the function as its first argument, one TwinSettings; `files` names what the twin keeps in its folder.
    Where a command of the app follows, the function is not called.
    """

    def decorate(serve: Callable[..., None]) -> Callable[..., None]:
        shared = dict(inspect.signature(_settings, eval_str=True).parameters)
        folder = Annotated[Path | None, typer.Option(help=f"Folder of {files}.")]
        shared["state"] = shared["state"].replace(annotation=folder)
        own = list(inspect.signature(serve, eval_str=True).parameters.values())[1:]

        def run(context: typer.Context, **options: Any) -> None:
            if context.invoked_subcommand is None:
                settings = _settings(**{name: options.pop(name) for name in shared})
                serve(settings, **options)

        before = inspect.Parameter("context", inspect.Parameter.KEYWORD_ONLY, annotation=typer.Context)
        options = [option.replace(kind=inspect.Parameter.KEYWORD_ONLY) for option in (*shared.values(), *own)]
        run.__signature__ = inspect.Signature([before, *options])  # type: ignore[attr-defined]
        run.__annotations__ = {}
        return run

    return decorate
