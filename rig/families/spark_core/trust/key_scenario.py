"""What may happen to the keys between Cores and their cloud, as data: firmware-fixtures/key-scenarios.toml.

A Core pins its cloud's RSA key, and the cloud knows each Core by its own; neither can be told another over the air
(core-firmware's spark_wlan.cpp). How one is played is `rig.campaign.swap`'s.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, model_validator

from rig.errors import Misuse
from rig.firmware.document import read_document
from rig.trust.expectation import AnyScenario

#: How a handshake fails: it was made for another server's key; the server's answer brought no Hello.
OTHER_KEY, NO_HELLO = "other-key", "no-hello"


class CloudKeys(BaseModel):
    """Who a cloud is to one Core."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    #: The pair that Cores were shipped with the public half of, or one that no Core has seen.
    server: Literal["shipped", "new"] = "shipped"
    #: Whose public key it keeps for this Core.
    core: Literal["its-own", "another-s"] = "its-own"
    #: What its answer is signed with: somebody in the middle has not its key.
    signs: Literal["server", "another"] = "server"


class KeyScenario(AnyScenario):
    """One scenario, by its name: who the cloud was to the Core, and who it is then."""

    before: CloudKeys = CloudKeys()
    after: CloudKeys

    @model_validator(mode="after")
    def _can_be_played(self) -> KeyScenario:
        if self.before == self.after and self.after.server != "new":
            raise ValueError("nothing changes between before and after")
        if self.when == "between-pieces":
            raise ValueError("a Core's update is one connection: it has no pieces")
        if self.back == "cable" and (self.after.core, self.after.signs) != ("its-own", "server"):
            raise ValueError("a cable brings a Core another server's key, and nothing else helps here")
        return self


class _Document(BaseModel):
    model_config = ConfigDict(extra="forbid")

    scenario: list[KeyScenario]


def load_key_scenarios(path: Path) -> dict[str, KeyScenario]:
    """Those of one file, by name. Raises Misuse that names the file and the field."""
    found: dict[str, KeyScenario] = {}
    for scenario in read_document(path, _Document, "the key scenarios").scenario:
        if scenario.name in found:
            raise Misuse(f"{path}: scenario {scenario.name} is there twice")
        found[scenario.name] = scenario
    return found
