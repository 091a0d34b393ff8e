"""Which boards a choice of tests asks for, known before a rack is started for them.

`python -m rig.lab.asked PYTEST-ARGUMENTS` prints it, in a process of its own: a collection leaves traces in one.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence

import pytest

from rig.errors import Misuse

#: A board by its kind and its place's tags.
Wanted = tuple[str, Mapping[str, str]]


def boards_asked_for(arguments: Sequence[str]) -> list[Wanted] | None:
    """What each test that pytest finds with these `arguments` asks for; None where it cannot collect.

    Raises Misuse where it finds no test.
    """
    done = subprocess.run([sys.executable, "-m", __name__, *arguments], capture_output=True, text=True)
    if done.returncode == pytest.ExitCode.NO_TESTS_COLLECTED:
        raise Misuse("no test was found")
    if done.returncode != pytest.ExitCode.OK:
        return None  # the run itself fails on it, and says why
    return [(kind, tags) for kind, tags in json.loads(done.stdout.splitlines()[-1])]


class _Asked:
    """A pytest plugin that prints the boards of what was collected, and nothing else."""

    @pytest.hookimpl(trylast=True)
    def pytest_configure(self, config: pytest.Config) -> None:
        config.pluginmanager.unregister(name="terminalreporter")

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        markers = [item.get_closest_marker("board") for item in session.items]
        print(json.dumps([[marker.args[0], marker.kwargs] for marker in markers if marker is not None]))


if __name__ == "__main__":
    sys.exit(pytest.main(["--collect-only", "-s", *sys.argv[1:]], [_Asked()]))
