"""Rows of cuts on disk: one line for each group, behind a line that says of which sweep."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

from rig.errors import Misuse
from rig.files import is_there, write_user_file
from rig.sweep.cuts_in_a_row import LastCuts
from rig.sweep.plan import SweepPlan

NAME = "rows.jsonl"


def checked_folder(folder: Path) -> Path:
    """A report folder that holds no rows yet. Raises Misuse."""
    if is_there(folder / NAME):
        raise Misuse(f"{folder / NAME} is there already", hint="name another folder")
    return folder


def write_rows(folder: Path, plan: SweepPlan, groups: Iterable[LastCuts]) -> Path:
    """Write all groups; returns the file. Raises Misuse or LabFault where it cannot be written."""
    lines = [json.dumps({"sweep": plan.identity, **plan.to_dict()})]
    for group in groups:
        earlier = [{"tear": one.tear, "first": one.first, "last": one.last} for one in group.earlier]
        spans = [span.to_dict() for span in group.spans]
        lines.append(json.dumps({"earlier": earlier, "spans": spans, "points": group.points}))
    folder.mkdir(parents=True, exist_ok=True)
    write_user_file(folder / NAME, "".join(f"{line}\n" for line in lines).encode())
    return folder / NAME
