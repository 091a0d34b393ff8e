"""What may happen to servers' identities while boards run, as data: from which to which, when, and what firmware does.

How one is played is `rig.campaign.swap`'s; the scenarios themselves are firmware-fixtures/scenarios.toml.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, ValidationError, model_validator

from rig.errors import Misuse
from rig.firmware.document import read_document, wrong_field
from rig.trust.recipe import IdentityRecipe

#: When identities change: while nobody asks; while an image is on its way; between two pieces of one; while the board
#: is off; while it is off because its supply was cut in the middle of a download.
When = Literal["idle", "off", "mid-download", "between-pieces", "during-cut"]
#: How firmware that went dark is brought back: everything is as before, or somebody comes with a cable.
Route = Literal["swap-back", "cable"]
Servers = dict[str, IdentityRecipe]


class Reach(StrEnum):
    """How far firmware gets when it looks for an update."""

    #: The first server it asks answers.
    SERVED = "served"
    #: One answers, after it has refused another, or itself with another pin.
    FAILS_OVER = "fails-over"
    #: It refuses them all: no server sees a request.
    DARK = "dark"


@dataclass(frozen=True, slots=True)
class Expected:
    """What firmware does at one time: how far it gets, and how the handshakes failed that it tried before, in order.

    Each is the alert that it sent, or `refused` where the server would not go on with it, `hung-up` without a word.
    """

    reach: Reach
    alerts: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.reach} ({', '.join(self.alerts)})" if self.alerts else str(self.reach)

    @classmethod
    def parse(cls, text: str) -> Expected:
        """From its text, such as `served`, `dark (unknown_ca)`. Raises ValueError."""
        found = re.fullmatch(r"([a-z-]+)(?: \(([a-z0-9_, -]+)\))?", text.strip())
        if found is None or found.group(1) not in set(Reach):
            raise ValueError(f"{text!r} is none of {', '.join(Reach)}, and in brackets how handshakes failed")
        alerts = tuple(alert.strip() for alert in (found.group(2) or "").split(",") if alert.strip())
        if (found.group(1) == Reach.SERVED) != (not alerts):
            raise ValueError(f"{text!r}: handshakes fail where firmware is not served by the first, and only there")
        return cls(Reach(found.group(1)), alerts)


def _change(text: str) -> str:
    Change.parse(text)
    return text


@dataclass(frozen=True, slots=True)
class Change:
    """What firmware does before the swap, and after it."""

    before: Expected
    after: Expected

    @classmethod
    def parse(cls, text: str) -> Change:
        """From `BEFORE -> AFTER`; with one word it was served before. Raises ValueError."""
        before, arrow, after = text.rpartition("->")
        return cls(Expected.parse(before) if arrow else Expected(Reach.SERVED), Expected.parse(after))


class Tls(BaseModel):
    """How handshakes are made, beyond the identity."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    minimum: Literal["TLSv1.2", "TLSv1.3"] | None = None
    ciphers: str | None = None


class Scenario(BaseModel):
    """One scenario, by its name: `before` and `after` are identities by host; what `after` does not name stays."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9.-]*$")
    about: str = Field(min_length=10)
    #: What a reader of the report is to know of it.
    remark: str = ""
    when: When = "idle"
    before: Servers
    after: Servers = {}
    tls: dict[str, Tls] = {}
    #: What a device that asks for the time is told; the present where it is not said.
    clock: AwareDatetime | None = None
    #: The same after the swap, where it is another.
    clock_after: AwareDatetime | None = None
    #: What each firmware does, by the name of its cast in the manifest.
    expects: dict[str, Annotated[str, AfterValidator(_change)]] = Field(min_length=1)
    back: Route = "swap-back"

    @model_validator(mode="after")
    def _something_changes(self) -> Scenario:
        if not (self.after or self.tls or self.clock_after):
            raise ValueError("nothing changes: it needs after, tls or clock_after")
        if unknown := (set(self.after) | set(self.tls)) - set(self.before):
            raise ValueError(f"{min(unknown)} changes, and before does not say what it was")
        return self

    def change(self, firmware: str) -> Change:
        """What a firmware does. Raises Misuse for one that it does not speak of."""
        if firmware not in self.expects:
            raise Misuse(f"scenario {self.name} does not speak of {firmware}", hint=f"of {', '.join(self.expects)}")
        return Change.parse(self.expects[firmware])

    @property
    def now_after(self) -> datetime | None:
        """What a device is told of the time after the swap."""
        return self.clock_after or self.clock


class _Document(BaseModel):
    model_config = ConfigDict(extra="forbid")

    #: Identities of all servers as they were, by a name that scenarios use.
    servers: dict[str, Servers] = {}
    scenario: list[dict[str, Any]]


class Scenarios:
    """Those of one file, by name."""

    def __init__(self, scenarios: Mapping[str, Scenario]):
        self._scenarios = dict(scenarios)

    @classmethod
    def load(cls, path: Path) -> Scenarios:
        """Read and validate a file. Raises Misuse that names file, scenario and field."""
        document = read_document(path, _Document, "the scenarios")
        found: dict[str, Scenario] = {}
        for fields in document.scenario:
            source = f"{path}: scenario {fields.get('name', '?')}"
            known = dict(fields)
            if isinstance(name := known.get("before"), str):
                if name not in document.servers:
                    raise Misuse(
                        f"{source}: no servers are called {name}", hint=f"one of {', '.join(document.servers)}"
                    )
                known["before"] = document.servers[name]
            try:
                scenario = Scenario.model_validate(known)
            except ValidationError as error:
                raise wrong_field(source, error) from error
            if scenario.name in found:
                raise Misuse(f"{source} is there twice")
            found[scenario.name] = scenario
        return cls(found)

    @property
    def names(self) -> list[str]:
        """Their names, in the file's order."""
        return list(self._scenarios)

    def __getitem__(self, name: str) -> Scenario:
        """One by its name. Raises Misuse."""
        if name not in self._scenarios:
            raise Misuse(f"no scenario is called {name}", hint=f"one of {', '.join(self._scenarios)}")
        return self._scenarios[name]
