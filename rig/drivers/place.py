"""What a labgrid target tells of the place it stands for, and which drivers it has there."""

from __future__ import annotations

from typing import Any


def place_name(target: Any) -> str:
    """The labgrid place a target stands for, or the target's own name."""
    tags, name = place_tags(target)
    return name if tags else str(target.name)


def place_tags(target: Any) -> tuple[dict[str, str], str]:
    """Tags and name of the place a target stands for; no tags where it is no remote place."""
    for resource in target.resources:
        if type(resource).__name__ == "RemotePlace":
            return dict(resource.tags), str(resource.name)
    return {}, str(target.name)


def driver_of(target: Any, *kinds: str) -> Any:
    """The driver of the first of these classes, by name, that the target has; None where it has none of them.

    One whose place exports nothing for it to work on counts as none: one environment serves places with and without.
    """
    has = {type(driver).__name__ for driver in target.drivers}
    for kind in kinds:
        if kind in has and _is_supplied(driver := target.get_driver(kind, activate=False)):
            target.activate(driver)
            return driver
    return None


def _is_supplied(driver: Any) -> bool:
    return all(getattr(driver, name) is not None for name in driver.bindings)
