"""Which suites run with some firmware, and why others do not: known without a board.

`python -m rig.suites.with_firmware PYTEST-ARGUMENTS` prints what each test needs, in a process of its own: a collection
leaves traces in one.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from rig.errors import Misuse
from rig.firmware.checkout import ROOT, part
from rig.firmware.manifest import Manifest
from rig.suites.needs import Needs, needs_of, why_not


@dataclass(slots=True)
class Fit:
    """How many cases of a suite run somewhere, and why the others do not."""

    cases: int = 0
    lacks: Counter[str] = field(default_factory=Counter)

    def add(self, lack: str | None) -> None:
        """Count a case."""
        if lack is None:
            self.cases += 1
        else:
            self.lacks[lack] += 1

    def to_dict(self) -> dict[str, Any]:
        """As JSON."""
        return {"cases": self.cases, "not_run": dict(self.lacks)}


@dataclass(slots=True)
class Suite:
    """One suite: how many cases it has, and how many of them run on twins and on real boards."""

    name: str
    cases: int = 0
    #: Cases that use an image the manifest names itself; the others tell nothing of that firmware.
    own: int = 0
    on_twins: Fit = field(default_factory=Fit)
    on_boards: Fit = field(default_factory=Fit)

    def to_dict(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "suite": self.name,
            "cases": self.cases,
            "own": self.own,
            "on_twins": self.on_twins.to_dict(),
            "on_boards": self.on_boards.to_dict(),
        }


def suites_with(known: Manifest) -> list[Suite]:
    """Every suite by name, with its cases, long ones too, on boards of the kinds that this firmware is for.

    Raises Misuse where the suites, or an image, cannot be read.
    """
    suites: dict[str, Suite] = {}
    kinds = known.kinds()
    for name, needs in needs_of_all(known.path, part("tests", "boards")):
        if needs.board not in kinds:
            continue
        suite = suites.setdefault(name, Suite(name))
        suite.cases += 1
        suite.own += _uses_own(known, needs)
        suite.on_twins.add(why_not(known, needs, filled_in=True))
        suite.on_boards.add(why_not(known, needs, filled_in=False))
    return [suites[name] for name in sorted(suites)]


def _uses_own(known: Manifest, needs: Needs) -> bool:
    if known.has_roles(needs.board, needs.variant) is False:
        return False
    own = known.roles(needs.board, needs.variant, filled_in=False)
    return bool(needs.roles & set(own))


def needs_of_all(manifest: Path, folder: Path) -> list[tuple[str, Needs]]:
    """The suite and the needs of each test in a folder, where it has any. Raises Misuse where they cannot be read."""
    words = ["-c", str(part("pyproject.toml")), "--rootdir", str(ROOT), "--rig-long", "--rig-manifest", str(manifest)]
    command = [sys.executable, "-m", __name__, *words, str(folder)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != pytest.ExitCode.OK:
        last = (done.stdout + done.stderr).strip().splitlines()[-1:]
        raise Misuse(f"the suites cannot be read: {''.join(last)}", hint="pytest --collect-only tells all")
    return [(name, Needs.from_json(fields)) for name, fields in json.loads(done.stdout.splitlines()[-1])]


class _Needed:
    """A pytest plugin that prints what each test needs that was collected, and nothing else."""

    @pytest.hookimpl(trylast=True)
    def pytest_configure(self, config: pytest.Config) -> None:
        config.pluginmanager.unregister(name="terminalreporter")

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        needs = [(item.path.stem.removeprefix("test_"), needs_of(item)) for item in session.items]
        print(json.dumps([[name, needed.to_json()] for name, needed in needs if needed is not None]))


if __name__ == "__main__":
    sys.exit(pytest.main(["--collect-only", "-s", "-p", "no:cacheprovider", *sys.argv[1:]], [_Needed()]))
