"""The report of a run read again from its folder, and written anew where the run was killed before it could."""

from __future__ import annotations

from pathlib import Path

from rig.errors import Misuse
from rig.evidence.report import write_report
from rig.evidence.results import UNDER_WAY
from rig.evidence.run_life import end_killed_run, head_of, join_run
from rig.evidence.run_log import goes_on, read_run
from rig.evidence.run_manifest import FOLDER, NAME, RunManifest
from rig.evidence.run_record import RunRecord
from rig.files import is_there

WHO = "rig report"


def shown(folder: Path) -> RunRecord:
    """What a run came to; of one that goes on, what it has come to by now. Raises Misuse for no report folder."""
    record = read_run(folder)
    if record.killed and goes_on(folder):
        record.verdict, record.killed = UNDER_WAY, False
    return record


def rebuild_report(folder: Path) -> RunRecord:
    """Write a run's report from its log and its ledger, which is ended. Raises Misuse, LabFault."""
    if goes_on(folder):
        raise Misuse(f"the run in {folder} goes on", hint="`rig report` without --rebuild shows what it has by now")
    record = read_run(folder)
    ledger = folder / FOLDER
    if not is_there(ledger / NAME):
        join_run(ledger, record.identity.run)
    if RunManifest.read(ledger / NAME).run != record.identity.run:
        raise Misuse(f"{ledger} is another run's", hint="was the folder put together by hand?")
    if end_killed_run(ledger, WHO).state == "open":
        raise Misuse(f"the run in {folder} still makes cuts", hint="wait until its workers are gone")
    write_report(folder, record)
    return record


def head_in(folder: Path) -> str | None:
    """The head of the run's ledger; None where it has none yet. Raises Misuse."""
    path = folder / FOLDER
    return head_of(path) if is_there(path / NAME) else None
