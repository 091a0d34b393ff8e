"""How verbs print lines, JSON and events. Nothing else of them prints, so that text from outside stays data."""

from __future__ import annotations

import contextlib
import io
import json
import os
import signal
import sys
from collections.abc import Callable, Iterator, Mapping
from typing import IO, TYPE_CHECKING, Any, TextIO

from rig import escape
from rig.ports import format_address

if TYPE_CHECKING:
    from rig.drivers.control_client import ControlClient


def print_lines(*lines: str) -> None:
    """Lines for people on the standard output."""
    for line in lines:
        print(escape.terminal(line), flush=True)


def print_lines_to(out: IO[str], *lines: str) -> None:
    """Lines for people into a file, each whole, whichever thread tells it."""
    for line in lines:
        out.write(f"{escape.terminal(line)}\n")
        out.flush()


def print_error(text: str) -> None:
    """A line for people on the standard error, where scripts do not read."""
    print(escape.terminal(f"rig: {text}"), file=sys.stderr, flush=True)


def print_status(*lines: str) -> None:
    """The same without the command's name: what it is at."""
    for line in lines:
        print(escape.terminal(line), file=sys.stderr, flush=True)


def update_progress(text: str, *, last: bool) -> None:
    """A line on the standard error that the next one is written over, unless it is the last."""
    print(f"\r{escape.terminal(text)}", end="\n" if last else "", file=sys.stderr, flush=True)


def print_json(content: Any, *, to: IO[str] | None = None) -> None:
    """A line for scripts."""
    print(json.dumps(content), file=to or sys.stdout, flush=True)


def console_to(out: TextIO) -> Callable[[bytes], None]:
    """Prints what a board says: as it is into a file or a pipe, and for people on a terminal."""
    if not out.isatty():
        return lambda data: (out.buffer.write(data), out.buffer.flush())[1]
    shown = escape.Console()
    return lambda data: (out.write(shown.feed(data)), out.flush())[1]


def print_result(as_json: bool, content: Any, *lines: str) -> None:
    """The end of a command: for scripts or for people."""
    if as_json:
        print_json(content)
    else:
        print_lines(*lines)


def print_events(
    client: ControlClient, describe: Callable[[dict[str, Any]], str], *, as_json: bool, **of: str | None
) -> None:
    """Print what happens until Ctrl-C or SIGTERM; `of` says whose events, `describe` how people read one."""
    for number in (signal.SIGINT, signal.SIGTERM):  # a shell's background jobs begin with SIGINT ignored
        signal.signal(number, signal.default_int_handler)
    subscription = client.events(timeout=None, **of)
    with contextlib.suppress(KeyboardInterrupt), subscription as events:
        for event in events:
            try:
                print_result(as_json, event, describe(event))
            except BrokenPipeError:  # whoever read has enough
                os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
                return


def address_of_port(port: Mapping[str, Any]) -> str:
    """A port of a ready line, `host` and `port`, as people write it and options take it."""
    return format_address(port["host"], port["port"])


class TolerantOutput(io.TextIOWrapper):
    """Output that ends nothing: where nobody reads it any more, or its disk is full, the rest of it goes nowhere.

    For what goes on for long and is worth more than what it prints: a run, a watch.
    """

    def __init__(self, descriptor: int):
        """Takes the descriptor over: it is closed with this."""
        super().__init__(io.BufferedWriter(io.FileIO(descriptor, "w")), "utf-8", errors="backslashreplace")
        #: Why something could not be written.
        self.fault: OSError | None = None

    def write(self, text: str) -> int:
        """Write it, or let it go."""
        with self._outlasting():
            return super().write(text)
        return len(text)

    def flush(self) -> None:
        """Write what waits, or let it go."""
        with self._outlasting():
            super().flush()

    @contextlib.contextmanager
    def _outlasting(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            self.fault = self.fault or error
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self.fileno())
            os.close(nowhere)
