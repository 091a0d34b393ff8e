"""How the commands print lines and JSON. Nothing else in this room prints, so that text from outside stays data."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from typing import IO, Any, TextIO

from rig import escape


def say(*lines: str) -> None:
    """Lines for people on the standard output."""
    for line in lines:
        print(escape.terminal(line), flush=True)


def complain(text: str) -> None:
    """A line for people on the standard error, where scripts do not read."""
    print(escape.terminal(f"rig: {text}"), file=sys.stderr, flush=True)


def note(*lines: str) -> None:
    """The same without the command's name: what it is at."""
    for line in lines:
        print(escape.terminal(line), file=sys.stderr, flush=True)


def note_again(text: str, *, last: bool) -> None:
    """A line on the standard error that the next one is written over, unless it is the last."""
    print(f"\r{escape.terminal(text)}", end="\n" if last else "", file=sys.stderr, flush=True)


def say_json(told: Any, *, to: IO[str] | None = None) -> None:
    """A line for scripts."""
    print(json.dumps(told), file=to or sys.stdout, flush=True)


def console_to(out: TextIO) -> Callable[[bytes], None]:
    """Prints what a board says: as it is into a file or a pipe, and for people on a terminal."""
    if not out.isatty():
        return lambda data: (out.buffer.write(data), out.buffer.flush())[1]
    shown = escape.Console()
    return lambda data: (out.write(shown.feed(data)), out.flush())[1]


def tell(as_json: bool, told: Any, *lines: str) -> None:
    """The end of a command: for scripts or for people."""
    if as_json:
        say_json(told)
    else:
        say(*lines)
