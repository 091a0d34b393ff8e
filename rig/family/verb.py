"""A verb of the `rig` command that a family brings."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from typer import Typer


@dataclass(frozen=True, slots=True)
class Verb:
    """`rig NAME`, or `rig UNDER NAME`; what is under `twin` is called after its kind of board.

    `does` is a typer app with commands of its own, or the function of one command. The command loads it whenever it
    starts, so it imports what it works with inside its functions.
    """

    name: str
    does: Typer | Callable[..., Any]
    under: Literal["", "twin", "cloud"] = ""

    def __str__(self) -> str:
        return " ".join(word for word in ("rig", self.under, self.name) if word)
