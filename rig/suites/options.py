"""The plugin's options for pytest. All but `--rack` begin with `--rig-`, so that none is another plugin's."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path

import pytest

from rig.errors import Misuse

#: How often a test is run at the most, as `rig run` has it.
MOST_TIMES = 1000


def read_numbers(option: Namespace) -> None:
    """Make numbers of the options that are some: here, as pytest has a status of its own for them. Raises Misuse."""
    option.rig_repeat = _times(str(option.rig_repeat))
    for name in ("timeout", "wait"):
        setattr(option, f"rig_{name}", _seconds(name, getattr(option, f"rig_{name}")))


def _times(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= MOST_TIMES:
        raise Misuse(f"--rig-repeat {text} is not a number of times", hint=f"1 to {MOST_TIMES}")
    return int(text)


def _seconds(name: str, text: object) -> float | None:
    if text is None:
        return None
    try:
        seconds = float(str(text))
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < float("inf"):
        raise Misuse(f"--rig-{name} {text} is not a number of seconds", hint="above 0")
    return seconds


def add_options(parser: pytest.Parser) -> None:
    """Where boards are, which tests and boards are meant, and how long things may take."""
    group = parser.getgroup("rig", "updates and power cuts on boards (rig)")
    group.addoption(
        "--rack",
        metavar="virtual|FILE",
        help="where boards are: `virtual` (default) starts twins, FILE is a labgrid environment of your coordinator's",
    )
    group.addoption("--rig-manifest", metavar="FILE", type=Path, help="manifest of the firmware under test")
    group.addoption("--rig-record", action="store_true", help="compare no outcome: what boards become is a baseline")
    group.addoption("--rig-report", metavar="DIR", help="folder for ledger, timelines and cut maps")
    group.addoption("--rig-long", action="store_true", help="board tests marked `long` too")
    group.addoption("--rig-allow-destructive", action="store_true", help="let tests destroy any board")
    group.addoption("--rig-board", metavar="KIND", help="only tests for boards of this kind")
    group.addoption(
        "--rig-boards",
        metavar="KIND=N",
        action="append",
        help="the virtual rack has N boards of this kind at most, of kinds that are named only; may be repeated",
    )
    group.addoption("--rig-place", metavar="NAME", help="only the board in this place (with --rack FILE)")
    group.addoption("--rig-repeat", metavar="N", default="1", help="run each board test N times")
    group.addoption("--rig-timeout", metavar="S", help="a board test may take S seconds")
    group.addoption("--rig-wait", metavar="S", help="wait S seconds for boards that others hold")
