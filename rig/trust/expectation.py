"""What every scenario of swapped identities tells: when, what each firmware does before and after, and its way back."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Any, Literal, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from rig.errors import Misuse
from rig.firmware.document import wrong_field

#: When identities change: while nobody asks; while an image is on its way; between two pieces of one; while the board
#: is off; while it is off because its supply was cut in the middle of a download.
When = Literal["idle", "off", "mid-download", "between-pieces", "during-cut"]
#: How firmware that went dark is brought back: everything is as before, or somebody comes with a cable.
Route = Literal["swap-back", "cable"]


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
    #: Who served it, where others had failed before.
    host: str = ""

    def __str__(self) -> str:
        text = f"{self.reach} ({', '.join(self.alerts)})" if self.alerts else str(self.reach)
        return f"{text} to {self.host}" if self.host else text

    @classmethod
    def parse(cls, text: str) -> Expected:
        """From its text, such as `dark (unknown_ca)`, `fails-over (unknown_ca) to ota9.rig.test`. Raises ValueError."""
        found = re.fullmatch(r"([a-z-]+)(?: \(([a-z0-9_, -]+)\))?(?: to ([a-z0-9.-]+))?", text.strip())
        if found is None or found.group(1) not in set(Reach):
            raise ValueError(f"{text!r} is none of {', '.join(Reach)}, and in brackets how handshakes failed")
        alerts = tuple(alert.strip() for alert in (found.group(2) or "").split(",") if alert.strip())
        if (found.group(1) == Reach.SERVED) != (not alerts):
            raise ValueError(f"{text!r}: handshakes fail where firmware is not served by the first, and only there")
        if (found.group(1) == Reach.FAILS_OVER) != bool(found.group(3)):
            raise ValueError(f"{text!r}: it is `to` a host that firmware fails over, and only then")
        return cls(Reach(found.group(1)), alerts, found.group(3) or "")


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


Known = TypeVar("Known", bound="AnyScenario")


class AnyScenario(BaseModel):
    """What a scenario is, whatever kind of server changes its identity."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9.-]*$")
    about: str = Field(min_length=10)
    #: What a reader of the report is to know of it.
    remark: str = ""
    when: When = "idle"
    #: What each firmware does, by the name of its variant in the manifest.
    expects: dict[str, Annotated[str, AfterValidator(_change)]] = Field(min_length=1)
    back: Route = "swap-back"

    def change(self, firmware: str) -> Change:
        """What a firmware does. Raises Misuse for one that it does not speak of."""
        if firmware not in self.expects:
            raise Misuse(f"scenario {self.name} does not speak of {firmware}", hint=f"of {', '.join(self.expects)}")
        return Change.parse(self.expects[firmware])


def read_scenario(kind: type[Known], fields: Mapping[str, Any], source: str = "scenario") -> Known:
    """A scenario from its fields. Raises Misuse that names source and field."""
    try:
        return kind.model_validate(dict(fields))
    except ValidationError as error:
        raise wrong_field(source, error, kind) from error
