"""How a capsule tells which scenario it is of: by name and hash where a file has it, whole where none does."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping

from rig.campaign.swaps import Swaps, scenario_of
from rig.errors import Misuse
from rig.formats.json_object import NotAnObject, read_object
from rig.trust.expectation import AnyScenario

#: Fields of a capsule: the name, and a hash of what is played, or all of that.
SCENARIO, PLAYED, RECIPE = "scenario", "played", "recipe"
_DIGITS = 12
#: What a scenario tells its readers, and does not change how it is played.
_FOR_READERS = {"name", "about", "remark", "expects"}
#: What stands in their place where a capsule tells all else.
_UNTOLD = {"about": "told by a capsule", "expects": {"default": "served"}}


def tell(scenario: AnyScenario, swaps: Swaps) -> dict[str, str]:
    """Fields that tell a scenario."""
    known = swaps.scenarios().get(scenario.name)
    if known is not None and digest_of(known) == digest_of(scenario):
        return {SCENARIO: scenario.name, PLAYED: digest_of(scenario)}
    return {SCENARIO: scenario.name, RECIPE: _recipe(scenario)}


def read_told(fields: Mapping[str, str], swaps: Swaps, kind: str) -> AnyScenario:
    """The scenario that fields of a capsule tell. Raises Misuse for one that there is not, or that is another now."""
    if SCENARIO not in fields:
        raise Misuse("the capsule does not say which scenario", hint=f"{SCENARIO}=NAME")
    if RECIPE in fields:
        return swaps.read({**_UNTOLD, **_object(fields[RECIPE]), "name": fields[SCENARIO]})
    scenario = scenario_of(swaps, kind, fields[SCENARIO])
    if fields.get(PLAYED, played := digest_of(scenario)) != played:
        raise Misuse(f"the scenario {scenario.name} was changed since the capsule was written")
    return scenario


def digest_of(scenario: AnyScenario) -> str:
    """Begin of a hash over what is played."""
    played = scenario.model_dump_json(exclude=_FOR_READERS)
    return hashlib.sha256(played.encode()).hexdigest()[:_DIGITS]


def _recipe(scenario: AnyScenario) -> str:
    """What is played, as JSON without a space or a quote that a shell would take."""
    played = scenario.model_dump(mode="json", exclude=_FOR_READERS, exclude_defaults=True)
    return json.dumps(played, separators=(",", ":")).replace(" ", "\\u0020").replace("'", "\\u0027")


def _object(text: str) -> dict[str, object]:
    try:
        return read_object(text)
    except NotAnObject as error:
        raise Misuse(f"{RECIPE}= in the capsule says no scenario: {error}") from error
