"""How verbs read and write a board's memory: numbers as people type them, a progress bar, a memory into a file."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING

from rig.errors import Misuse
from rig.files import unwritable
from rig.terminal.output import print_result

if TYPE_CHECKING:
    from rig.drivers.progress import Progress, Watcher


def number(text: str, option: str, example: str = "0x08005000") -> int:
    """An address or a length, decimal or hex. Raises Misuse."""
    try:
        found = int(text, 0)
    except ValueError:
        found = -1
    if not 0 <= found <= 0xFFFF_FFFF:
        raise Misuse(f"{option} {text} is no number", hint=f"for example {example}")
    return found


@contextmanager
def progress_bar(as_json: bool) -> Iterator[Watcher]:
    """A progress bar on a terminal's standard error; nothing for scripts."""
    if as_json or not sys.stderr.isatty():
        yield lambda _progress: None
        return
    from rich.progress import Progress as Bar

    from rig.terminal.tables import console

    with Bar(console=console(stderr=True), transient=True) as bar:
        tasks: dict[str, object] = {}

        def watch(progress: Progress) -> None:
            if progress.phase not in tasks:
                tasks[progress.phase] = bar.add_task(progress.phase)
            bar.update(tasks[progress.phase], completed=progress.done, total=progress.total)  # type: ignore[arg-type]

        yield watch


@contextmanager
def _new(file: Path) -> Iterator[IO[bytes]]:
    """A file that was not there, open before anything is read into it; gone again when that fails. Raises Misuse.

    A board's memory has private keys in it: others cannot read the file.
    """
    try:
        out = os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "wb")
    except FileExistsError:
        raise Misuse(f"{file} is there already", hint="name another file") from None
    except OSError as error:
        raise unwritable(file, error) from error
    try:
        with out:
            yield out
    except OSError as error:
        file.unlink(missing_ok=True)
        raise unwritable(file, error) from error
    except BaseException:
        file.unlink(missing_ok=True)
        raise


def read_into(file: Path, address: int, read: Callable[[Watcher], bytes], *, as_json: bool) -> None:
    """Read a memory from `address` on into a new file, and say so.

    Raises Misuse for a file that is there already, or cannot be written.
    """
    with _new(file) as out:
        with progress_bar(as_json) as watch:
            content = read(watch)
        out.write(content)
    print_result(
        as_json, {"read": len(content), "address": address, "file": str(file)}, f"{len(content):,} bytes in {file}"
    )
