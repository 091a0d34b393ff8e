"""One line that holds all that a swap of servers' identities needs to be played again on the model.

::

    KIND swap scenario=NAME played=5f0c… old=77ab… new=… at=2026-11-30T15:04:05Z before=served
        after=dark:unknown_ca arrived=none runs-on=yes updated=yes route=swap-back sum=1b2c3d4e

A scenario is told by its name and by a hash of what is played: one that was changed since is refused. One that is in no
file is told whole, as JSON in `recipe`. `at` is when it was played: certificates begin, and clocks go, by that.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from rig.campaign.swaps import known_swaps, swaps_of
from rig.campaign.told_scenario import PLAYED, RECIPE, SCENARIO, read_told, tell
from rig.errors import Misuse
from rig.sweep.capsule_line import choices_and_images, hashes_of, named, read_line, sealed
from rig.trust.expectation import AnyScenario, Expected, Reach

if TYPE_CHECKING:
    from rig.campaign.swap import ScenarioResult
    from rig.firmware.manifest import Image

#: What stands where a capsule of a cut has its path.
SWAP = "swap"
_TIME = "%Y-%m-%dT%H:%M:%SZ"
_REACHED = rf"({'|'.join(Reach)})(:[a-z0-9_,-]+)?(@[a-z0-9.-]+)?"
#: Certificates and clocks of boards know no others.
FIRST_YEAR, LAST_YEAR = 1970, 2999
_YES_NO = "yes|no"
#: Words of an end, and what they may be.
_WORDS = {
    "before": _REACHED,
    "after": _REACHED,
    "arrived": f"{_YES_NO}|none",
    "runs-on": _YES_NO,
    "updated": _YES_NO,
    "route": "none|swap-back|cable",
}
_FIXED = (SCENARIO, PLAYED, RECIPE, "at", *_WORDS)


@dataclass(frozen=True, slots=True)
class SwapCapsule:
    """One scenario, played with one firmware; `images` by role are begins of SHA-256 in hex."""

    kind: str
    #: What is played, and the fields that tell it.
    scenario: AnyScenario = field(compare=False)
    told: Mapping[str, str]
    choices: Mapping[str, str]
    images: Mapping[str, str]
    at: datetime
    #: How it ended when the line was written, word by word; None where nobody says so.
    ended: Mapping[str, str] | None = None

    def __str__(self) -> str:
        fields = {**self.told, **self.choices, **self.images, "at": f"{self.at:{_TIME}}", **(self.ended or {})}
        return sealed(" ".join([self.kind, SWAP, *named(fields)]))

    def of(self, result: ScenarioResult) -> SwapCapsule:
        """The same, and how it ended."""
        return replace(self, ended=words_of(result))

    @classmethod
    def parse(cls, line: str) -> SwapCapsule:
        """Read one. Raises Misuse for what is none, was changed, or is of a scenario that nobody knows."""
        kind, _, fields = read_line(line)
        swaps = swaps_of(kind)
        scenario = read_told(fields, swaps, kind)
        choices, images = choices_and_images(fields, swaps.choices, f"swaps of a {kind}", _FIXED)
        at = _time(fields.get("at", ""))
        return cls(kind, scenario, tell(scenario, swaps), choices, images, at, _ended(fields))


def is_swap(line: str) -> bool:
    """Whether a capsule is of a swap."""
    return line.split()[1:2] == [SWAP]


def capsule_of(
    kind: str,
    scenario: AnyScenario,
    roles: Mapping[str, Image],
    roles_of: Callable[[str], Mapping[str, Image]],
    tags: Mapping[str, str],
) -> SwapCapsule | None:
    """That of a scenario as a board plays it now; None for a kind of board that plays none on the model."""
    if (swaps := known_swaps(kind)) is None:
        return None
    images = hashes_of(swaps.images(roles, roles_of))
    now = datetime.now(UTC).replace(microsecond=0)
    return SwapCapsule(kind, scenario, tell(scenario, swaps), swaps.chosen(tags), images, now)


def words_of(result: ScenarioResult) -> dict[str, str]:
    """How a scenario ended, as a capsule has it."""
    return {
        "before": _reached(result.before),
        "after": _reached(result.after),
        "arrived": {True: "yes", False: "no", None: "none"}[result.arrived],
        "runs-on": "yes" if result.runs_on else "no",
        "updated": "yes" if result.updated else "no",
        "route": result.route or "none",
    }


def _reached(found: Expected) -> str:
    alerts = f":{','.join(found.alerts).replace(' ', '-')}" if found.alerts else ""
    return f"{found.reach}{alerts}{f'@{found.host}' if found.host else ''}"


def _time(text: str) -> datetime:
    try:
        found = datetime.strptime(text, _TIME).replace(tzinfo=UTC)
    except ValueError:
        found = None
    if found is None or not FIRST_YEAR <= found.year <= LAST_YEAR:
        raise Misuse(f"at={text} in the capsule is no time", hint="for example at=2026-11-30T15:04:05Z")
    return found


def _ended(fields: Mapping[str, str]) -> dict[str, str] | None:
    ended = {name: fields[name] for name in _WORDS if name in fields}
    if not ended:
        return None
    if missing := [name for name in _WORDS if name not in ended]:
        raise Misuse(f"the capsule says half of how it ended: {missing[0]}= is missing")
    for name, value in ended.items():
        if not re.fullmatch(_WORDS[name], value, re.ASCII):
            raise Misuse(f"{name}={value} in the capsule says nothing that comes of a swap")
    return ended
