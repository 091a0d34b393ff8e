"""The way to the relay of each place, seen without acquiring it: dead exporters and relays are told before a run.

Contacts are read and never moved. A place that somebody holds is left alone: some relays take one connection only.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from copy import deepcopy
from pathlib import Path
from typing import Any

from labgrid import Environment, Target, target_factory
from labgrid.binding import BindingError
from labgrid.exceptions import InvalidConfigError, NoSupplierFoundError
from labgrid.protocol import DigitalOutputProtocol, PowerProtocol
from labgrid.resource.common import ManagedResource

from rig.boards.wiring import relay_of
from rig.drivers.contact import Contact
from rig.errors import Misuse, RigError, Unreachable
from rig.lab.coordinator import Coordinator
from rig.lab.targets import WRONG_ENVIRONMENT, environment_for
from rig.power.cut_path import CutPath

#: Relays that are looked at in the same moment: a dead one keeps others waiting for as long as it is asked.
AT_ONCE = 16
#: What is said of a place whose relay is not looked at.
HELD = "not looked at while it is held"

#: A resource: its class, and what its exporter tells of it.
Resource = tuple[str, Mapping[str, Any]]
#: A driver as its environment names it: class, name, options, bindings.
Switch = tuple[str, str | None, Mapping[str, Any], Mapping[str, str]]


#: A way to a relay; Unreachable where nobody answers on it, or a text that says why it was not looked at.
Seen = CutPath | Unreachable | str


def cut_paths(coordinator: Coordinator, environment: Path, names: Sequence[str]) -> dict[str, Seen]:
    """The way to each place's relay, by the driver that its environment names for that. Raises Misuse."""
    places = coordinator.places()
    files = {name: environment_for(environment, places[name].tags.get("board", "")) for name in names}
    switches = {file: switches_of(file) for file in set(files.values())}

    def look(name: str) -> Seen:
        try:
            if lacks := coordinator.missing_now(name):
                raise Unreachable(f"no exporter offers {lacks}", board=name, hint="is its exporter alive?")
            if _is_held(places[name]):
                return HELD
            return CutPath.measure(contact_among(switches[files[name]], coordinator.offered_to(name), name))
        except RigError as error:
            return _seen_in(error)

    with ThreadPoolExecutor(AT_ONCE) as pool:
        return dict(zip(names, pool.map(look, names), strict=True))


def _is_held(place: Any) -> bool:
    return bool(place.acquired)


def _seen_in(fault: RigError) -> Seen:
    """What is dead is a fault. The rest may be alive, and somebody has to look at the environment."""
    return fault if isinstance(fault, Unreachable) else f"not looked at: {fault.message}"


def switches_of(environment: Path) -> list[Switch]:
    """The power drivers and digital outputs that an environment names. Raises Misuse."""
    os.environ.setdefault("LG_PLACE", "any")  # the file names it; which place it is matters to nobody here
    try:
        env = Environment(config_file=str(environment))
        _, drivers = target_factory.normalize_config(deepcopy(env.config.get_targets()["main"]))
    except WRONG_ENVIRONMENT as error:
        raise Misuse(f"{environment} is no labgrid environment: {' '.join(str(error).split())}") from error
    return [
        (cls, name, args, bindings)
        for cls, named in drivers.items()
        for name, (args, bindings) in named.items()
        if issubclass(target_factory.drivers.get(cls, object), (PowerProtocol, DigitalOutputProtocol))
    ]


def contact_among(switches: Sequence[Switch], resources: Mapping[str, Resource], place: str) -> Contact:
    """The contact that feeds a board: of its environment's drivers on its place's resources the one that a run takes.

    Raises Misuse where there is none, or the environment is wrong.
    """
    target = Target(place)
    for name, (cls, args) in resources.items():
        made = target_factory.resources.get(cls)
        if made is not None and not issubclass(made, ManagedResource):  # those are a remote place's alone
            target_factory.make_resource(target, cls, name, dict(args))
    for driver, called, args, bindings in switches:
        target.set_binding_map(dict(bindings))
        try:
            target_factory.make_driver(target, driver, called, dict(args))
        except (BindingError, NoSupplierFoundError):
            continue  # a place may lack what its environment could use
        except (InvalidConfigError, ImportError, ValueError) as error:
            raise Misuse(f"{driver} cannot be made: {' '.join(str(error).split())}", board=place) from error
    return relay_of(target).contact()
