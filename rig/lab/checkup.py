"""A look at a lab: its boards, what each board's cuts go through, its places' tags. Nothing is acquired or switched."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace

from rig.errors import RigError
from rig.family.contract import is_foreign
from rig.lab.acquisition import Boards, tags_of_places
from rig.lab.cut_paths import Seen
from rig.lab.health import Health
from rig.lab.lab import Lab
from rig.lab.place_tags import tag_faults


@dataclass(frozen=True, slots=True)
class Checkup:
    """What was seen; `foreign_places` are places whose boards are of no kind that the rig knows."""

    rows: list[Health]
    faults: list[RigError]
    foreign_places: list[str]


def check_up(lab: Lab, places: Collection[str], known: Collection[str | None] = ()) -> Checkup:
    """Look at these places, or at all where none is named; of boards in `known` a silent relay is no new fault.

    Raises LabFault without a coordinator, Misuse for a bad environment.
    """
    with Boards(lab.coordinator, lab.environment, reaps=False) as boards:
        rows = [row for row in boards.health() if not places or row.place in places]
        paths = boards.cut_paths([row.place for row in rows])
    tags = tags_of_places(lab.coordinator)
    faults: list[RigError] = [path for path in paths.values() if isinstance(path, RigError) and path.board not in known]
    faults += [fault for row in rows for fault in tag_faults(row.place, row.board, tags.get(row.place, {}))]
    foreign_places = sorted(
        f"{name} (board={place_tags['board']})" for name, place_tags in tags.items() if is_foreign(place_tags)
    )
    return Checkup([replace(row, cut=_in_words(paths[row.place])) for row in rows], faults, foreign_places)


def _in_words(path: Seen) -> str:
    """The way to a relay for a table's cell; the fault of one that does not answer stands on a line of its own."""
    return "does not answer" if isinstance(path, RigError) else str(path)
