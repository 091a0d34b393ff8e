"""What `rig run --list` prints: the tests that a run would be about, and the boards that they ask for."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

from rig.terminal.output import print_json, print_lines

if TYPE_CHECKING:
    from rig.suites.request import RunRequest
    from rig.suites.selection import Chosen


def list_tests(request: RunRequest, as_json: bool) -> None:
    """Print a line a test: its id, of which every part is a word for `-k`, its title, and its board. Raises Misuse."""
    from rig.suites.run import tests_of

    tests = tests_of(request)
    for test in tests:
        if as_json:
            print_json(asdict(test))
        else:
            print_lines(test.id, f"    {test.title}", f"    {_board(test)}")
    if not as_json:
        print_lines(f"{len(tests)} {'test' if len(tests) == 1 else 'tests'}")


def _board(test: Chosen) -> str:
    if test.board is None:
        return "no board"
    return " ".join([test.board, *(f"{tag}={value}" for tag, value in test.tags.items())])
