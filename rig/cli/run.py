"""`rig run`: the board suites on a rack, with progress, a table, a report folder and a verdict."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from rig import escape
from rig.cli.show import say_json


def run(
    rack: Annotated[
        str, typer.Option(metavar="virtual|FILE", help="The virtual rack, or a labgrid environment file.")
    ] = "virtual",
    coordinator: Annotated[
        str | None,
        typer.Option(metavar="HOST:PORT", help="Coordinator of --rack FILE; else LG_COORDINATOR."),
    ] = None,
    report: Annotated[
        Path | None, typer.Option(help="Report folder, new or empty; reports/DATE-TIME if not given.")
    ] = None,
    keyword: Annotated[str | None, typer.Option("-k", metavar="EXPR", help="Only tests whose names match.")] = None,
    workers: Annotated[int, typer.Option("-n", min=1, max=64, help="How many boards work at once.")] = 8,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON line an event, the last with the verdict.")
    ] = False,
    manifest: Annotated[
        Path | None, typer.Option(help="Manifest of the firmware under test; the rig's synthetic images if not given.")
    ] = None,
    long: Annotated[
        bool, typer.Option("--long", "--full", help="Also what takes its time: every generation, phase, row.")
    ] = False,
    allow_destructive: Annotated[
        bool, typer.Option("--allow-destructive", help="Also what destroys boards that are not expendable.")
    ] = False,
    extra: Annotated[list[str] | None, typer.Argument(metavar="[-- PYTEST OPTIONS]", help="Handed to pytest.")] = None,
) -> None:
    """Run the board suites: update, cut the power, read back what became of the board.

    Leaves a report folder with [b]summary.md[/b], cut maps, ledger, timelines, JUnit and Allure results.
    The exit status is the verdict: 0 passed, 1 device fault, 2 misuse, 3 lab fault.
    """
    from rig.lab.suites import run_suites

    show: Any = _JsonLines() if as_json else _Progress()
    with show:
        done = run_suites(
            rack=rack,
            coordinator=coordinator,
            report=report,
            keyword=keyword,
            workers=workers,
            manifest=manifest,
            listener=show.listen,
            extra=[
                *(["--long"] if long else []),
                *(["--allow-destructive"] if allow_destructive else []),
                *(extra or []),
            ],
        )
    show.finish(done)
    raise typer.Exit(done.verdict.status)


class _JsonLines:
    """One line an event, on the standard output as it was before pytest began to capture."""

    FIELDS = {  # noqa: RUF012
        "collected": "count",
        "started": "name",
        "waiting": "holders",
        "told": "text",
        "ended": "run",
    }

    def __enter__(self) -> _JsonLines:
        import os

        self._out = os.fdopen(os.dup(1), "w")
        return self

    def __exit__(self, *_exc: object) -> None:
        return None

    def listen(self, event: str, content: Any) -> None:
        """Print an event."""
        if event == "cannot-run":
            told = {"tests": sum(lack.tests for lack in content), "boards": [lack.told() for lack in content]}
        else:
            told = asdict(content) if event == "finished" else {self.FIELDS[event]: content}
        say_json({"event": event, **told}, to=self._out)

    def finish(self, done: Any) -> None:
        """Print the verdict."""
        from rig.evidence.results import known_defects

        told = {
            "event": "verdict",
            "run": done.run_id,
            "verdict": done.verdict.word,
            "status": done.verdict.status,
            "tests": len(done.results),
            "known_defects": known_defects(done.results),
            "seconds": round(done.seconds, 1),
            "report": str(done.report),
            "head": done.head,
        }
        say_json(told, to=self._out)


class _Progress:
    """A progress bar while it runs, a table when it is over."""

    COLOURS = {"passed": "green", "device fault": "red", "lab fault": "yellow", "misuse": "magenta"}  # noqa: RUF012

    def __enter__(self) -> _Progress:
        import os

        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

        from rig.cli.tables import console

        self._console = console(os.fdopen(os.dup(1), "w"))
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
        from rig.cli.tables import line, show, styled

        if event == "collected":
            self._bar.update(self._task, total=content)
        elif event == "cannot-run":
            show(f"{sum(lack.tests for lack in content)} tests cannot run here:", to=self._console)
            show(*map(str, content), to=self._console)
        elif event == "ended":
            show(f"The run {content} was killed; its ledger was ended.", to=self._console)
        elif event == "waiting":
            self._waiting = f"waiting for a board: {content}" if content else ""
        elif event == "told":
            show(f"rig: {content}", to=self._console)
        elif event == "started":
            self._running.append(content)
        else:
            self._running.remove(content.name)
            colour = self.COLOURS.get(content.result, "dim")
            self._bar.advance(self._task)
            became = content.properties.get("became", "")
            told = line((f"{content.result:12}", colour), (f" {content.name}", ""), (f"  {became}", "dim"))
            show(told, to=self._console)
            if content.message:
                show(styled(f"             {content.message}", "dim"), to=self._console)
        doing = (self._waiting or ", ".join(self._running))[:90]
        self._bar.update(self._task, description=escape.terminal(doing))

    def finish(self, done: Any) -> None:
        """Print the table, the verdict and where the report is."""
        from rig.cli.tables import grid, line, show, styled
        from rig.evidence.results import known_defects

        table = grid("test", "place", "landed → became", "result", "s", title=f"Run {done.run_id}")
        for result in done.results:
            colour = self.COLOURS.get(result.result, "dim")
            place, became = result.properties.get("place", ""), result.properties.get("became", "")
            table.add_row(result.name, place, became, styled(result.result, colour), f"{result.seconds:.1f}")
        show(table, to=self._console)
        defects = known_defects(done.results)
        if defects:
            told = f"{sum(defects.values())} known defects seen again: {', '.join(sorted(defects))}"
            show(told, to=self._console)
        word = (done.verdict.word, self.COLOURS.get(done.verdict.word, "red"))
        show(line(("Verdict: ", ""), word, (f" after {done.seconds:.0f} s", "")), to=self._console)
        show(f"Report: {done.report / 'summary.md'}", to=self._console, soft_wrap=True)
        if done.head is not None:
            show(f"Ledger: ends in {done.head}", to=self._console, soft_wrap=True)
