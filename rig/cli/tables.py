"""How the commands print tables and styled lines: text is text here, never markup, and acts on no terminal."""

from __future__ import annotations

from typing import IO, Any

from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text

from rig import escape


def console(file: IO[str] | None = None, *, stderr: bool = False) -> Console:
    """A console without markup, emoji and colours of its own."""
    return Console(file=file, stderr=stderr, markup=False, emoji=False, highlight=False)


def styled(text: str, style: str = "") -> Text:
    """A cell, or a line, in a style."""
    return Text(escape.terminal(text), style)


def line(*parts: tuple[str, str]) -> Text:
    """Texts and their styles, one behind the other."""
    return Text.assemble(*((escape.terminal(text), style) for text, style in parts))


class Grid(Table):
    """A table whose cells are text as it is; columns have the rig's own words."""

    def add_row(self, *cells: RenderableType | None, style: Any = None, end_section: bool = False) -> None:
        """A row."""
        super().add_row(*map(_plain, cells), style=style, end_section=end_section)


def grid(*columns: Any, title: str | None = None, **looks: Any) -> Grid:
    """A table of these columns."""
    return Grid(*columns, title=styled(title) if title is not None else None, **looks)


def show(*parts: RenderableType, to: Console | None = None, **how: Any) -> None:
    """Print tables and lines."""
    (to or console()).print(*map(_plain, parts), sep="\n", **how)


def _plain(part: RenderableType | None) -> RenderableType | None:
    return styled(part) if isinstance(part, str) else part
