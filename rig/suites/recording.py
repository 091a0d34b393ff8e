"""The baseline of a run: what its ledger says became of boards, as expectations of the same firmware."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from rig.errors import Misuse
from rig.evidence.ledger import read_ledger
from rig.evidence.run_manifest import FOLDER, segments_in
from rig.firmware.baseline import Observation, write_baseline
from rig.firmware.expectations import Situation
from rig.firmware.manifest import Manifest
from rig.firmware.outcomes import Became
from rig.suites.expectations import expectations_of, known_cases

#: The kind of ledger line that a comparison writes (rig.suites.expecting).
COMPARED = "compared"


def record_baseline(path: Path, report: Path, firmware: Manifest, run: str, *, replace: bool) -> int:
    """Write what a run saw to `path`; returns how many situations that is. Raises Misuse, LabFault."""
    seen = list(observations(report))
    if not seen:
        raise Misuse("nothing is recorded: no test of this run compared an outcome", hint="choose suites with cuts")
    remark = f"What the firmware of {firmware.path.name} became in run {run}, by `rig run --record`."
    return write_baseline(path, seen, expectations_of(firmware).defects, remark, replace=replace)


def observations(report: Path) -> Iterator[Observation]:
    """What the ledger of a report folder says became of boards."""
    for segment in segments_in(report / FOLDER):
        for line in read_ledger(segment):
            if line["kind"] == COMPARED:
                where = Situation(*(line[name] for name in ("board", "path", "case", "generation", "variant")))
                became = Became(line["outcome"], line["rung"])
                is_own = not known_cases()[where.board].has(where.path, where.case)
                yield Observation(where, became, line["wanted"], line["defect"], is_own)
