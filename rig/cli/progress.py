"""What commands share that work on a board by hand: a progress bar, numbers as people write them, the last word."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rig.errors import Misuse

if TYPE_CHECKING:
    from rig.drivers.dfu_host import Progress, Watcher


def number(text: str, option: str, example: str = "0x08005000") -> int:
    """An address or a length, decimal or hex. Raises Misuse."""
    try:
        found = int(text, 0)
    except ValueError:
        found = -1
    if not 0 <= found <= 0xFFFF_FFFF:
        raise Misuse(f"{option} {text} is no number", hint=f"for example {example}")
    return found


def tell(as_json: bool, told: Mapping[str, object], text: str) -> None:
    """The end of a command: for scripts or for people."""
    print(json.dumps(told) if as_json else text)


@contextmanager
def progress_bar(as_json: bool) -> Iterator[Watcher]:
    """A progress bar on a terminal's standard error; nothing for scripts."""
    if as_json or not sys.stderr.isatty():
        yield lambda _progress: None
        return
    from rich.console import Console
    from rich.progress import Progress as Bar

    with Bar(console=Console(stderr=True), transient=True) as bar:
        tasks: dict[str, object] = {}

        def watch(progress: Progress) -> None:
            if progress.phase not in tasks:
                tasks[progress.phase] = bar.add_task(progress.phase)
            bar.update(tasks[progress.phase], completed=progress.done, total=progress.total)  # type: ignore[arg-type]

        yield watch
