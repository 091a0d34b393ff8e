"""What `rig run` prints: JSON lines for scripts, a bar for people at a terminal, plain lines for logs."""

from __future__ import annotations

import os
import sys
from typing import Any, Protocol

from rig.terminal.output import TolerantOutput, print_error, print_json


class RunOutput(Protocol):
    """Shows a run while it goes on. It prints on the standard output as it was before pytest began to capture."""

    #: The standard output: a run goes on when nobody reads it any more.
    out: TolerantOutput

    def __enter__(self) -> RunOutput: ...

    def __exit__(self, *_exc: object) -> None: ...

    def listen(self, event: str, content: Any) -> None:
        """Take an event of `rig.suites.result_collector.Listener`."""

    def finish(self, done: Any) -> None:
        """Show what the run came to: a `rig.suites.run.Run`."""


def output_for(*, as_json: bool, verbose: bool) -> RunOutput:
    """The output that fits who reads it."""
    if as_json:
        return JsonLines()
    if sys.stdout.isatty():
        from rig.cli.run_progress import Progress

        return Progress(verbose=verbose)
    from rig.cli.run_lines import PlainLines

    return PlainLines(verbose=verbose)


class JsonLines:
    """One line an event; the last has the verdict and what was tested."""

    FIELDS = {  # noqa: RUF012
        "started": "name",
        "waiting": "holders",
        "told": "text",
        "ended": "run",
    }

    def __enter__(self) -> JsonLines:
        self.out = TolerantOutput(os.dup(1))
        return self

    def __exit__(self, *_exc: object) -> None:
        return None

    def listen(self, event: str, content: Any) -> None:
        """Print an event."""
        print_json({"event": event, **self._content(event, content)}, to=self.out)

    def _content(self, event: str, content: Any) -> dict[str, Any]:
        from dataclasses import asdict

        if event == "begun":
            tested: dict[str, Any] = content.to_dict()["tested"]
            return {name: value for name, value in tested.items() if name != "firmware"}
        if event == "collected":
            collected: dict[str, Any] = content.to_dict()
            return collected
        if event == "cannot-run":
            return {"tests": sum(lack.tests for lack in content), "boards": [lack.to_dict() for lack in content]}
        return asdict(content) if event == "finished" else {self.FIELDS[event]: content}

    def finish(self, done: Any) -> None:
        """Print the verdict."""
        record = done.record
        result = {
            "event": "verdict",
            "run": record.identity.run,
            "tests": len(record.results),
            **record.to_dict(),
            "report": str(done.report),
            "head": done.head,
        }
        print_json(result, to=self.out)


def end_status(done: Any, out: TolerantOutput) -> int:
    """A run's exit status: its verdict, unless that is good and an output is not whole that nobody hung up on."""
    from rig.files import is_of_the_disk, unusable

    status: int = done.record.verdict.status
    if out.fault is None or not is_of_the_disk(out.fault):
        return status
    fault = unusable("the output", out.fault)
    print_error(f"{fault}; the run went on: {done.report / 'summary.md'}")
    return status or fault.exit_status
