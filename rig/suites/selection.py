"""Which tests a run is about: those that are left out, and all that are chosen, known before a rack is started.

`python -m rig.suites.selection PYTEST-ARGUMENTS` prints them, in a process of its own: a collection leaves traces.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass

import pytest

from rig.errors import Misuse
from rig.lab.wanted import Wanted
from rig.suites.board_tests import wanted_by
from rig.suites.titles import title_of

#: How pytest begins the line that says why it does not run.
_ERROR = "ERROR: "
#: How the line with the tests begins: suites and other plugins may print, too.
_CHOSEN = "chosen: "


@dataclass(frozen=True, slots=True)
class Chosen:
    """A test that a run is about: its id, its title, and the board that it asks for (None for no board test)."""

    id: str
    title: str
    board: str | None
    tags: dict[str, str]

    @property
    def wanted(self) -> Wanted | None:
        """The board."""
        return (self.board, self.tags) if self.board is not None else None


#: What the rig itself refuses of pytest's options.
_OWN_WORD = re.compile(r"^Exit: rig: (.*)$", re.MULTILINE)


def choose(arguments: Sequence[str]) -> list[Chosen] | None:
    """The tests that pytest finds with these `arguments`; None where it cannot read them all.

    Raises Misuse where there are none, and with pytest's own words for arguments that it does not take.
    """
    done = subprocess.run([sys.executable, "-m", __name__, *arguments], capture_output=True, text=True)
    if done.returncode == pytest.ExitCode.NO_TESTS_COLLECTED:
        raise NothingChosen("no test was found")
    if done.returncode == pytest.ExitCode.USAGE_ERROR:
        raise Misuse(_reason(done.stderr), hint="`rig run --list` tells the names of tests")
    if refused := _OWN_WORD.search(done.stderr + done.stdout):
        raise Misuse(refused[1])
    if done.returncode != pytest.ExitCode.OK:
        return None  # the run itself fails on it, and says why
    lines = [line.removeprefix(_CHOSEN) for line in done.stdout.splitlines() if line.startswith(_CHOSEN)]
    if not lines:
        raise Misuse("pytest runs no test with these options", hint="what only prints is to be asked of pytest itself")
    return [Chosen(**test) for test in json.loads(lines[-1])]


class NothingChosen(Misuse):
    """No test fits what was asked for."""


def leave_out(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out board tests that take their time, and those for boards of another kind, unless they were asked for."""

    def is_meant(item: pytest.Item) -> bool:
        return _is_of_kind(config, item) and (config.option.rig_long or not _takes_its_time(item))

    left_out = [item for item in items if not is_meant(item)]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in left_out]


def count_long(config: pytest.Config, items: list[pytest.Item]) -> int:
    """How many tests are left out for no other reason than that they take their time."""
    if config.option.rig_long:
        return 0
    return sum(1 for item in items if _is_of_kind(config, item) and _takes_its_time(item))


def _is_of_kind(config: pytest.Config, item: pytest.Item) -> bool:
    kind, wanted = config.option.rig_board, wanted_by(item)
    return kind is None or (wanted is not None and wanted[0] == kind)


def _takes_its_time(item: pytest.Item) -> bool:
    return wanted_by(item) is not None and item.get_closest_marker("long") is not None


def _reason(stderr: str) -> str:
    """pytest's words for why it does not run, without how it is to be called."""
    lines = [line.strip() for line in stderr.splitlines() if line.strip()]
    reasons = [line.rpartition(": error: ")[2] for line in lines if ": error: " in line]
    reasons += [line.removeprefix(_ERROR) for line in lines if line.startswith(_ERROR)]
    return f"pytest: {(reasons or lines or ['it does not say why'])[0]}"


class _Printer:
    """A pytest plugin that prints what was collected, and nothing else."""

    @pytest.hookimpl(trylast=True)
    def pytest_configure(self, config: pytest.Config) -> None:
        config.pluginmanager.unregister(name="terminalreporter")

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        print(f"\n{_CHOSEN}{json.dumps([asdict(_chosen(item)) for item in session.items])}")


def _chosen(item: pytest.Item) -> Chosen:
    kind, tags = wanted_by(item) or (None, {})
    return Chosen(item.nodeid, title_of(item), kind, dict(tags))


if __name__ == "__main__":
    sys.exit(pytest.main(["--collect-only", "-s", *sys.argv[1:]], [_Printer()]))
