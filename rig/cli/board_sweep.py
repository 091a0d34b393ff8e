"""`rig sweep --place` and `--rack`: cuts on boards, by the full stack and a real relay, until a bound is met."""

from __future__ import annotations

import math
import signal
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from rig.cli.board_sweep_output import BoardProgress, show_end
from rig.errors import LabFault, Misuse

if TYPE_CHECKING:
    from rig.board_sweep.ends import Ends
    from rig.board_sweep.places import SweptPlace
    from rig.board_sweep.session import Session
    from rig.lab.lab import Lab


@dataclass(frozen=True, slots=True)
class BoardSweepOptions:
    """What `rig sweep` was told of boards."""

    kind: str | None
    path: str | None
    places: list[str]
    rack: Path | None
    coordinator: str | None
    until: str | None
    budget: str | None
    most: int | None
    manifest: Path | None
    seed: int
    report: Path | None
    resume: bool
    as_json: bool


def sweep_boards(options: BoardSweepOptions, words: Sequence[str]) -> None:
    """Sweep boards, and say what it comes to; there are no further words for that. Raises Misuse, LabFault."""
    from rig.board_sweep.ends import Ends, read_duration
    from rig.board_sweep.places import places_to_sweep
    from rig.board_sweep.session import Session
    from rig.board_sweep.task import Rules
    from rig.firmware.run_firmware import checked_firmware
    from rig.gate.policy import DEFAULT, Policy
    from rig.lab.lab import Lab

    _refuse(options, words)
    rules = Rules(options.seed, Policy.named(options.until or DEFAULT))
    seconds = read_duration(options.budget) if options.budget is not None else math.inf
    checked_firmware(options.manifest)
    lab = Lab.named(options.coordinator, options.rack)
    places = places_to_sweep(lab.coordinator, options.places, options.kind, options.path)
    report = (options.report or Path("reports") / time.strftime("sweep-%Y%m%d-%H%M%S")).absolute()
    for number in (signal.SIGINT, signal.SIGTERM):  # a shell's background jobs begin with SIGINT ignored
        signal.signal(number, signal.default_int_handler)
    session = (Session.resume if options.resume else Session.begin)(report, rules)
    ends = Ends(options.until is not None, seconds, options.most or math.inf)
    raise typer.Exit(_sweep(session, lab, places, ends, options))


def _refuse(options: BoardSweepOptions, words: Sequence[str]) -> None:
    """Raises Misuse for options that do not go together."""
    if words:
        raise Misuse(f"{words[0]!r} is not for boards", hint="how a board is built its place's tags tell")
    if options.until is None and options.budget is None and options.most is None:
        raise Misuse("nothing says when it ends", hint="--until POLICY, --budget 2h or --most N; --until default")
    if options.resume and options.report is None:
        raise Misuse("--resume needs the folder of the sweep", hint="--report DIR")


def _sweep(session: Session, lab: Lab, places: list[SweptPlace], ends: Ends, options: BoardSweepOptions) -> int:
    """Prepare, sweep until the end or a signal, and show what came of it; returns the exit status."""
    from rig.board_sweep.prepare import tasks_for
    from rig.board_sweep.sweep import BoardSweep
    from rig.board_sweep.verdict import verdict_of

    policy, sweep, interrupted = session.rules.policy, None, False
    progress = BoardProgress(policy, as_json=options.as_json)
    try:
        tasks = tasks_for(session, lab, places, options.manifest, progress.say)
        sweep = BoardSweep(tasks, policy, ends, session.tally)
        for _line in sweep.run():
            progress.advance(sweep)
    except KeyboardInterrupt:
        interrupted = True
    finally:
        head = session.end()
        progress.close()
    if sweep is None:
        raise LabFault("ended by a signal before the first cut", hint="--resume goes on")
    verdict = verdict_of(session.tally, policy, sweep.strata, sweep.faults)
    return show_end(sweep, verdict, session.report, head, interrupted=interrupted, as_json=options.as_json)
