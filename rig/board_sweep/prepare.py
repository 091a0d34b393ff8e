"""What is made ready before the first cut: boards that dead processes left are given back, maps are made."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from rig.board_sweep.maps import Maps
from rig.board_sweep.places import SweptPlace
from rig.board_sweep.session import Session
from rig.board_sweep.stratum import hashes_of, variant_of
from rig.board_sweep.task import Task
from rig.family.contract import family_of
from rig.firmware.image_rules import rules_of
from rig.firmware.run_firmware import checked_firmware, roles_with
from rig.lab.acquisition import Boards
from rig.lab.lab import Lab


def tasks_for(
    session: Session, lab: Lab, places: Sequence[SweptPlace], manifest: Path | None, note: Callable[[str], None]
) -> list[Task]:
    """What the process of each place is to do. Raises Misuse, LabFault."""
    with Boards(lab.coordinator, lab.environment):
        pass  # what a dead process has of these places is given back before they are asked for
    known, maps = checked_firmware(manifest), Maps(session.report, note)
    tasks = []
    for place in places:
        roles = roles_with(rules_of(place.kind).known_state, known, place.kind, place.tags, place.name)
        sweeps = family_of(place.kind).campaign.board_sweeps
        choices = sweeps.choices(place.tags, roles)
        session.check_images(place.kind, variant_of(choices), hashes_of(roles))
        found = {path: maps.of(place.kind, path, choices, sweeps.paths[path].roles_of(roles)) for path in place.paths}
        tasks.append(
            Task(
                *(lab, place.name, place.kind, place.paths, manifest),
                *(session.run_id, session.segment(place.name), session.rules),
                maps={path: one for path, one in found.items() if one is not None},
            )
        )
    return tasks
