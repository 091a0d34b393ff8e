"""The places of a virtual rack at its coordinator, and what its exporter offers for them."""

from __future__ import annotations

import time
from collections.abc import Mapping, Set

from rig.clock import Deadline
from rig.errors import LabFault
from rig.lab.coordinator import Coordinator
from rig.rack.children import Children

#: What a rack's exporter is called.
EXPORTER = "virtual"


def make_places(coordinator: str, places: Mapping[str, Mapping[str, str]]) -> None:
    """Make the places, by name with their tags, that the coordinator does not know.

    It saves them four times a minute only: one that was started again may have lost some.
    """
    with Coordinator(coordinator) as session:
        known = session.places()
        session.add_places({name: tags for name, tags in places.items() if name not in known}, EXPORTER)


def wait_for_resources(
    coordinator: str, wanted: Mapping[str, Set[str]], children: Children, deadline: Deadline
) -> None:
    """Wait until the exporter offers these resources of each place. Raises LabFault, where a part died too."""
    with Coordinator(coordinator) as session:
        for place, resources in wanted.items():
            while not session.resources_of(place) >= resources:
                dead = children.dead()
                if dead or not deadline.left():
                    deaths = "; ".join(child.exit_description() for child in dead)
                    raise LabFault(deaths or f"the exporter does not offer the resources of {place}")
                time.sleep(0.02)
