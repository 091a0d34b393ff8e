"""A run whose output is a file or a pipe: one line a test, nothing wrapped, and once a minute how far it is."""

from __future__ import annotations

import os
import threading
import time
from typing import Any

from rig.cli.run_end import chosen, closing, plain
from rig.cli.run_progress import cannot_run, ended, opening
from rig.terminal.output import TolerantOutput, print_lines_to

#: How often a log says how far the run is.
PROGRESS_SECONDS = 60.0


class PlainLines:
    """Plain lines; at the end those of tests that are not as expected once more, or of all if `verbose`."""

    def __init__(self, *, verbose: bool = False, every: float = PROGRESS_SECONDS):
        self._verbose, self._every = verbose, every
        self._running: list[str] = []
        self._done, self._total, self._unexpected = 0, 0, 0
        self._over = threading.Event()

    def __enter__(self) -> PlainLines:
        self.out = TolerantOutput(os.dup(1))
        self._began = time.monotonic()
        self._teller = threading.Thread(target=self._print_progress, name="progress", daemon=True)
        self._teller.start()
        return self

    def __exit__(self, *_exc: object) -> None:
        self._over.set()
        self._teller.join()

    def listen(self, event: str, content: Any) -> None:
        """Print a line for what is worth one."""
        if event == "begun":
            self._say(opening(content))
        elif event == "collected":
            self._total = content.count
            self._say(str(content))
        elif event == "cannot-run":
            self._say(*cannot_run(content))
        elif event == "ended":
            self._say(ended(content))
        elif event == "waiting":
            if content:
                self._say(f"waiting for a board: {content}")
        elif event == "told":
            self._say(f"rig: {content}")
        elif event == "started":
            self._running.append(content)
        else:
            self._finished(content)

    def _finished(self, result: Any) -> None:
        from rig.evidence.results import is_as_expected
        from rig.evidence.second_attempts import is_second

        self._running.remove(result.name)
        self._done += not is_second(result)
        self._unexpected += not is_as_expected(result)
        self._say(plain(result), *(f"             {line}" for line in result.fault_report.splitlines()))

    def finish(self, done: Any) -> None:
        """Print what is not as expected, the verdict and where the report is."""
        for text in end_lines(done.record, done.report, done.head, verbose=self._verbose):
            self._say(text)

    def _print_progress(self) -> None:
        while not self._over.wait(self._every):
            self._say(self._progress())

    def _progress(self) -> str:
        minutes, seconds = divmod(int(time.monotonic() - self._began), 60)
        of = f" of {self._total}" if self._total else ""
        doing = ", ".join(list(self._running)) or "nothing"
        text = f"{self._done}{of} tests are over after {minutes}:{seconds:02}, {self._unexpected} not as expected"
        return f"progress     {text}; running: {doing}"

    def _say(self, *lines: str) -> None:
        print_lines_to(self.out, *lines)


def end_lines(record: Any, report: Any, head: str | None, *, verbose: bool) -> list[str]:
    """A run's end as plain lines."""
    rows = chosen(record, verbose=verbose)
    title = ["All tests:" if verbose else "Not as expected:"] if rows else []
    return [*title, *map(plain, rows), *closing(record, report, head)]
