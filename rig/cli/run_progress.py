"""A run at a terminal: a progress bar, a line for each test that is over, and a table at the end."""

from __future__ import annotations

import os
from typing import Any

from rig import escape
from rig.cli.run_end import COLOURS, show_end
from rig.terminal.output import TolerantOutput


class Progress:
    """A progress bar while it runs, a table when it is over: of what is not as expected, or of all if `verbose`."""

    def __init__(self, *, verbose: bool = False):
        self._verbose = verbose

    def __enter__(self) -> Progress:
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

        from rig.terminal.tables import console

        self.out = TolerantOutput(os.dup(1))
        self._console = console(self.out)
        self._bar = Progress(
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("{task.description}", markup=False),
            console=self._console,
        )
        self._running: list[str] = []
        self._waiting = ""
        self._bar.start()
        self._task = self._bar.add_task("getting ready", total=None)
        return self

    def __exit__(self, *_exc: object) -> None:
        self._bar.stop()

    def listen(self, event: str, content: Any) -> None:
        """Move the bar, and print a line for a test that is over."""
        from rig.terminal.tables import show

        if event == "collected":
            self._bar.update(self._task, total=content.count)
            show(str(content), to=self._console)
        elif event == "begun":
            show(opening(content), to=self._console)
        elif event == "cannot-run":
            show(*cannot_run(content), to=self._console)
        elif event == "ended":
            show(ended(content), to=self._console)
        elif event == "waiting":
            self._waiting = f"waiting for a board: {content}" if content else ""
        elif event == "told":
            show(f"rig: {content}", to=self._console)
        elif event == "started":
            self._running.append(content)
        else:
            self._finished(content)
        doing = (self._waiting or ", ".join(self._running))[:90]
        self._bar.update(self._task, description=escape.terminal(doing))

    def _finished(self, result: Any) -> None:
        from rig.evidence.second_attempts import is_second
        from rig.terminal.tables import line, show, styled

        self._running.remove(result.name)
        self._bar.advance(self._task, 0 if is_second(result) else 1)
        colour, became = COLOURS.get(result.result, "dim"), result.properties.get("became", "")
        show(line((f"{result.result:12}", colour), (f" {result.name}", ""), (f"  {became}", "dim")), to=self._console)
        if result.message:
            lines = [result.message, *result.fault_report.splitlines()]
            show(*(styled(f"             {line}", "dim") for line in lines), to=self._console)

    def finish(self, done: Any) -> None:
        """Print the table, the verdict and where the report is."""
        show_end(done.record, done.report, done.head, verbose=self._verbose, to=self._console)


def opening(record: Any) -> str:
    """What is said when a run begins: which it is, where, and what was chosen."""
    testbed = record.identity.testbed
    virtual = " (VIRTUAL: no real board)" if testbed.nature == "virtual" else ""
    return f"Run {record.identity.run} on rack {testbed.rack}{virtual}: {record.identity.selection}"


def ended(run: str) -> str:
    """What is said of a killed run that was found."""
    return f"The run {run} was killed; its ledger was ended. `rig report DIR --rebuild` writes its summary."


def cannot_run(lacks: Any) -> list[str]:
    """What is said of tests that a rack cannot run."""
    return [f"{sum(lack.tests for lack in lacks)} tests cannot run here:", *map(str, lacks)]
