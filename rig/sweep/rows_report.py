"""Rows of cuts on disk: one line for each group, behind a line that says of which sweep."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from rig.errors import Misuse
from rig.files import is_there, make_folder, read_user_file, write_user_file
from rig.sweep.cuts_in_a_row import LastCuts
from rig.sweep.plan import SweepPlan
from rig.sweep.scenario import Settled
from rig.sweep.spans import Span

NAME = "rows.jsonl"
#: Bytes of such a file that are read.
MOST = 1 << 30


def checked_folder(folder: Path) -> Path:
    """A report folder that holds no rows yet. Raises Misuse."""
    if has_rows(folder):
        raise Misuse(f"{folder / NAME} is there already", hint="name another folder")
    return folder


def write_rows(folder: Path, plan: SweepPlan, groups: Iterable[LastCuts]) -> Path:
    """Write all groups; returns the file. Raises Misuse or LabFault where it cannot be written."""
    lines = [json.dumps({"sweep": plan.identity, **plan.to_dict()})]
    for group in groups:
        earlier = [{"tear": one.tear, "first": one.first, "last": one.last} for one in group.earlier]
        spans = [span.to_dict() for span in group.spans]
        lines.append(json.dumps({"earlier": earlier, "spans": spans, "points": group.points}))
    fresh = make_folder(folder) / f"{NAME}.new"
    write_user_file(fresh, "".join(f"{line}\n" for line in lines).encode())
    return fresh.replace(folder / NAME)  # a file of this name is whole


def has_rows(folder: Path) -> bool:
    """Whether all rows of a sweep are there."""
    return is_there(folder / NAME)


def read_rows(folder: Path, plan: SweepPlan, cuts: int) -> Counter[Settled]:
    """How many rows of so many cuts ended how, as it was written. Raises Misuse where it is of another sweep."""
    path, ends = folder / NAME, Counter[Settled]()
    try:
        head, *groups = map(json.loads, read_user_file(path, MOST).splitlines())
        its = head["sweep"], {len(group["earlier"]) + 1 for group in groups}
        for group in groups:
            times = math.prod(one["last"] - one["first"] + 1 for one in group["earlier"])
            for span in map(Span.from_dict, group["spans"]):
                ends[span.settled] += times * span.count
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise Misuse(f"{path} is no sweep's: {error}", hint="name another folder") from error
    if its != (plan.identity, {cuts}):
        raise Misuse(f"{path} is of another sweep", hint="the same options and images, or another folder")
    return ends
