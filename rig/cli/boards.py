"""Which boards a virtual rack has, as `rig up` and `rig run` are told: `--boards KIND=N`, and short forms of it."""

from __future__ import annotations

import inspect
from functools import cache
from typing import Annotated, Any, ClassVar

import typer
from typer.core import TyperCommand

from rig.rack.boards import MOST_BOARDS

#: The parameter that short forms are added to.
BOARDS = "boards"


class TakesBoards(TyperCommand):
    """A command with the parameter `boards`, and a short form of it for each family that has one, as `--cores N`.

    Families are loaded when somebody asks for this command, and not for others.
    """

    #: The least that a short form may say; 0 leaves these boards out.
    least: ClassVar[int] = 1
    #: Whether a family's usual number is meant where nobody says which boards.
    has_usual: ClassVar[bool] = False

    def get_params(self, ctx: Any) -> list[Any]:
        """Its own, and the short forms behind them."""
        return [*super().get_params(ctx), *_short_forms(self.least, self.has_usual)]

    def invoke(self, ctx: Any) -> Any:
        """Short forms are told as `KIND=N`, before what is told so."""
        counts = ctx.params[BOARDS] or []
        short = []
        for slot in _with_short_forms():
            count = ctx.params.pop(_name(slot), None)
            if count is None and self.has_usual and not counts:
                count = slot.usual
            short += [f"{slot.kind}={count}"] if count else []
        ctx.params[BOARDS] = [*short, *counts]
        return super().invoke(ctx)


class StartsBoards(TakesBoards):
    """The same of a command that starts boards that nobody asked for."""

    least = 0
    has_usual = True


@cache
def _with_short_forms() -> list[Any]:
    """The boards of families that have a short form; one that does not load has none, and is told where it is named."""
    from rig.rack.plan import usual_first

    return [slot for slot in usual_first(whole=False) if slot.short_form]


@cache
def _short_forms(least: int, has_usual: bool) -> list[Any]:
    """An option each, made by Typer of a function that has them."""

    def command(**_told: int | None) -> None:
        """Nothing."""

    parameters = []
    for slot in _with_short_forms():
        usual = f"; {slot.usual} where no --boards is told" if has_usual else ""
        text = f"Short for --boards {slot.kind}=N{usual}."
        option = typer.Option(f"--{slot.short_form}", min=least, max=MOST_BOARDS, metavar="N", help=text)
        parameter = inspect.Parameter(_name(slot), inspect.Parameter.KEYWORD_ONLY, default=None)
        parameters.append(parameter.replace(annotation=Annotated[int | None, option]))
    command.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    command.__annotations__ = {each.name: each.annotation for each in parameters}
    app = typer.Typer(add_completion=False)
    app.command()(command)
    return list(typer.main.get_command(app).params)


def _name(slot: Any) -> str:
    """The parameter of a short form."""
    return str(slot.short_form.replace("-", "_"))
