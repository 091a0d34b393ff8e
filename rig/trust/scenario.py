"""What may happen to servers' identities while boards run, as data: from which to which, when, and what firmware does.

How one is played is `rig.campaign.swap`'s; the scenarios themselves are firmware-fixtures/scenarios.toml.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, model_validator

from rig.errors import Misuse
from rig.firmware.document import read_document
from rig.trust.expectation import AnyScenario, read_scenario
from rig.trust.recipe import IdentityRecipe

Servers = dict[str, IdentityRecipe]


class Tls(BaseModel):
    """How handshakes are made, beyond the identity."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    minimum: Literal["TLSv1.2", "TLSv1.3"] | None = None
    ciphers: str | None = None


class Scenario(AnyScenario):
    """One scenario, by its name: `before` and `after` are identities by host; what `after` does not name stays."""

    before: Servers
    after: Servers = Field(default_factory=dict)
    tls: dict[str, Tls] = Field(default_factory=dict)
    #: What a device that asks for the time is told; the present where it is not said.
    clock: AwareDatetime | None = None
    #: The same after the swap, where it is another.
    clock_after: AwareDatetime | None = None

    @model_validator(mode="after")
    def _something_changes(self) -> Scenario:
        if not (self.after or self.tls or self.clock_after):
            raise ValueError("nothing changes: it needs after, tls or clock_after")
        if unknown := (set(self.after) | set(self.tls)) - set(self.before):
            raise ValueError(f"{min(unknown)} changes, and before does not say what it was")
        return self

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
            scenario = read_scenario(Scenario, known, source)
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
