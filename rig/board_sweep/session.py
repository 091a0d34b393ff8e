"""One command's part of a board sweep in its report folder: begun anew, or gone on with where another one ended."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rig.board_sweep.tally import BEGUN, Tally
from rig.board_sweep.task import Rules
from rig.errors import Misuse
from rig.evidence.ledger import read_ledger
from rig.evidence.run_life import OpenRun
from rig.evidence.run_manifest import FOLDER, NAME, segments_in
from rig.files import is_folder, is_there


class Session:
    """Its ledger is a segment for each place and session, so that nothing that was written is touched again."""

    def __init__(self, life: OpenRun, report: Path, rules: Rules):
        self._life, self.report, self.rules = life, report, rules
        self._ledger = report / FOLDER
        self.tally = Tally()
        self._number = 1
        #: Images of boards by kind and variant, as the first cuts had them.
        self._images: dict[tuple[str, str], Any] = {}
        for path in segments_in(self._ledger):
            self._number = max(self._number, int(path.name.split(".")[-2]) + 1)
        for path in segments_in(self._ledger):
            for line in read_ledger(path):
                self._check(line)
                self.tally.add(line)

    @classmethod
    def begin(cls, report: Path, rules: Rules) -> Session:
        """A new sweep. Raises Misuse where the folder has something else."""
        if is_folder(report) and any(path.name != "model" for path in report.iterdir()):
            raise Misuse(
                f"the report folder {report} is not empty", hint="--resume goes on with a sweep; or name another"
            )
        return cls(OpenRun.begin(report / FOLDER, time.strftime("%Y%m%d-%H%M%S")), report, rules)

    @classmethod
    def resume(cls, report: Path, rules: Rules) -> Session:
        """Go on with a sweep that ended, or was killed. Raises Misuse where it has other rules, or was changed."""
        if not is_there(report / FOLDER / NAME):
            raise Misuse(f"{report} has no sweep to go on with", hint="--report DIR of a board sweep")
        life = OpenRun.go_on(report / FOLDER, "rig sweep --resume")
        try:
            return cls(life, report, rules)
        except BaseException:
            life.end()
            raise

    @property
    def run_id(self) -> str:
        """Which run its lines are of."""
        return self._life.run_id

    def segment(self, place: str) -> Path:
        """Where a place's lines go."""
        return self._ledger / f"{re.sub(r'[^A-Za-z0-9_-]', '_', place)}.{self._number}.jsonl"

    def check_images(self, board: str, variant: str, images: Mapping[str, str]) -> None:
        """Raises Misuse where boards of this kind were cut with other firmware before."""
        known = self._images.setdefault((board, variant), dict(images))
        if known != dict(images):
            raise Misuse(
                f"this sweep was begun with other images for {board} {variant}".rstrip(), hint="another report"
            )

    def end(self) -> str | None:
        """End it, and return the head of its ledger. Raises LabFault, Misuse where that was changed meanwhile."""
        return self._life.end()

    def _check(self, line: Mapping[str, Any]) -> None:
        if line["kind"] == BEGUN:
            theirs = {"seed": line["seed"], "policy": line["policy"]}
            if theirs != self.rules.to_dict():
                raise Misuse("this sweep was begun with another seed or policy", hint="--seed and --until as before")
            self.check_images(line["board"], line["variant"], line["images"])
