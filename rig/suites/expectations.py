"""The expectations of a run: the file that its manifest names, over the one of the rig's own images."""

from __future__ import annotations

from contextlib import suppress
from functools import cache

from rig import registry
from rig.errors import LabFault, Misuse
from rig.family.contract import family_of
from rig.firmware.cases import KnownCases, refuse_unknown
from rig.firmware.checkout import part
from rig.firmware.expectations import Expectations
from rig.firmware.faults import Fault
from rig.firmware.manifest import Manifest


@cache
def known_cases() -> dict[str, KnownCases]:
    """The cases that something may be expected of, by kind of board; one that does not load has none."""
    found = {}
    for kind in registry.kinds():
        with suppress(LabFault):
            found[kind] = family_of(kind).suites.cases
    return found


def expectations_of(firmware: Manifest) -> Expectations:
    """The file that a manifest names, over that of the rig's own images, or that alone. Raises Misuse."""
    ours = Expectations.load(part("firmware-fixtures", "expectations.toml"))
    refuse_unknown(ours, known_cases(), firmware.variants)
    if firmware.fallback is None or firmware.expectations_path is None:
        return ours
    mine = Expectations.load(firmware.expectations_path)
    refuse_unknown(mine, known_cases(), firmware.variants)
    return mine.with_fallback(ours, firmware.names_role_set)


def wrong_expectations(firmware: Manifest) -> list[Fault]:
    """What is wrong with them, as it is told of a manifest."""
    try:
        expectations_of(firmware)
    except Misuse as error:
        return [Fault("expectations", error.message, error.hint or "")]
    return []
