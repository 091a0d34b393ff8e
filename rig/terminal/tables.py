"""How verbs print tables and styled lines: text is text here, never markup, and acts on no terminal."""

from __future__ import annotations

from typing import IO, Any

from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text

from rig import escape

#: Wider than what is printed: where there is no terminal, nothing is cut or folded.
WIDE = 10_000


def console(file: IO[str] | None = None, *, stderr: bool = False) -> Console:
    """A console without markup, emoji and colours of its own, as wide as its terminal."""
    made = Console(file=file, stderr=stderr, markup=False, emoji=False, highlight=False)
    if not made.file.isatty():
        made.width = WIDE
    return made


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
    """A table of these columns, not narrower than its title."""
    if title is None:
        return Grid(*columns, **looks)
    shown = styled(title)
    return Grid(*columns, title=shown, min_width=shown.cell_len, **looks)


def show(*parts: RenderableType, to: Console | None = None, **how: Any) -> None:
    """Print tables and lines."""
    (to or console()).print(*map(_plain, parts), sep="\n", **how)


def show_whole(table: Table) -> None:
    """Print a table as wide as it is: no cell is cut or folded, whatever the terminal's width."""
    for column in table.columns:
        column.no_wrap = True
    shown = console()
    shown.width = max(shown.width, shown.measure(table, options=shown.options.update(width=WIDE)).maximum)
    show(table, to=shown)


def _plain(part: RenderableType | None) -> RenderableType | None:
    return styled(part) if isinstance(part, str) else part
