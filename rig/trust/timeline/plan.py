"""The plan file: what each endpoint is to show from when, how it is renewed, and firmware that no manifest lists."""

from __future__ import annotations

import contextlib
from datetime import UTC, date, datetime, time
from functools import cache
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SerializeAsAny,
    create_model,
    model_validator,
)

from rig.errors import Misuse
from rig.files import real
from rig.firmware.document import ByContent, read_document
from rig.firmware.image_rules import ImageRules, all_rules
from rig.firmware.server_trust import ServerTrust
from rig.ports import format_address, read_address
from rig.trust.recipe import IdentityRecipe
from rig.trust.shipped import Shipped
from rig.trust.timeline.lifetimes import Renewal

#: What an address is called, and one for example.
AN_ADDRESS = ("address", "192.0.2.10:443")


def instant(value: Any) -> Any:
    """A day is its first second, a time of no zone is UTC's. Raises ValueError for anything but a date or time."""
    if isinstance(value, str):
        with contextlib.suppress(ValueError):
            value = datetime.fromisoformat(value)
    if isinstance(value, datetime):
        utc = value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
        return utc.replace(microsecond=0)
    if isinstance(value, date):
        return datetime.combine(value, time(), UTC)
    raise ValueError(f"{value!r} is no day, such as 2025-03-01, and no time")


Instant = Annotated[datetime, BeforeValidator(instant)]


class Shows(BaseModel):
    """One chain: certificates of a PEM file, or a what-if by a recipe."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    #: The beginning of the leaf in the file where no day is told.
    since: Instant | None = Field(default=None, alias="from")
    #: A change of authority is seen at the next renewal; a swap by hand at once.
    takes_effect: Literal["at-once", "at-renewal"] = "at-once"
    #: PEM, leaf first, as it is served.
    chain: Path | None = None
    recipe: IdentityRecipe | None = None

    @model_validator(mode="after")
    def _one_source(self) -> Shows:
        if (self.chain is None) == (self.recipe is None):
            raise ValueError("needs either a chain or a recipe")
        if self.since is None and self.chain is None:
            raise ValueError("a recipe needs the day from which it is shown: from")
        if self.since is None and self.takes_effect == "at-renewal":
            raise ValueError("at-renewal needs the day from which renewals bring it: from")
        return self


def _address(text: str) -> str:
    """The text, which names host and port. Raises ValueError."""
    try:
        read_address(text, *AN_ADDRESS)
    except Misuse as error:
        raise ValueError(error.message) from error
    return text


class PlannedEndpoint(BaseModel):
    """A server that firmware asks: without `renewal` its certificates stay until they are swapped."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    host: str = Field(pattern=r"^[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?$")
    #: Any port of the host where none is told.
    port: int | None = Field(default=None, ge=1, le=65535)
    #: Where it is looked at with --live, if not by its own name: HOST:PORT.
    address: Annotated[str, AfterValidator(_address)] | None = None
    ends: Instant | None = None
    renewal: Renewal | None = None
    shows: tuple[Shows, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _in_order(self) -> PlannedEndpoint:
        begins = [one.since for one in self.shows if one.since is not None]
        if begins != sorted(set(begins)):
            raise ValueError("shows must be in the order of their days, each later than the one before")
        if self.shows[0].takes_effect == "at-renewal":
            raise ValueError("what it shows first takes effect at once")
        if self.renewal is None and any(one.takes_effect == "at-renewal" for one in self.shows):
            raise ValueError("at-renewal needs a table renewal")
        if self.renewal is not None and isinstance(self.renewal.issuer, tuple) and any(one.chain for one in self.shows):
            raise ValueError("renewal.issuer names authorities of recipes, and here is a chain: say kept or any")
        return self

    @property
    def name(self) -> str:
        """What it is called: its host, and its port where one is told."""
        return self.host if self.port is None else format_address(self.host, self.port)

    @property
    def dialled(self) -> tuple[str, int]:
        """Where a look at it connects: host and port."""
        if self.address is None:
            return self.host, self.port or 443
        return read_address(self.address, *AN_ADDRESS)


class FieldFirmware(ByContent):
    """Firmware in the field that there is no image of: what it does is told as in a manifest, by its family's field."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    #: Its family's, whose field it has, and that field's name.
    rules: ClassVar[ImageRules[Any]]
    field: ClassVar[str]

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9.-]*$")
    version: str = Field(default="", pattern=r"^[ -~]{0,80}$")
    #: Nothing is said about the time before.
    released: Instant | None = None

    @classmethod
    def model_for(cls, content: object) -> type[FieldFirmware]:
        """With the field that is there of those that say which servers are asked; the first of them where none is."""
        there_are = [(rules, rules.server_field.name) for rules in all_rules() if rules.server_field is not None]
        if not there_are:
            raise Misuse("no family of boards here has firmware that asks servers over TLS")
        named = (one for one in there_are if isinstance(content, dict) and one[1] in content)
        return _firmware_model(*next(named, there_are[0]))

    @model_validator(mode="after")
    def _asks_somebody(self) -> FieldFirmware:
        if not self._trust().attempts:
            raise ValueError(f"{self.field} asks no server over TLS")
        return self

    @property
    def shipped(self) -> Shipped:
        """It as servers' identities concern it."""
        return Shipped(self.name, (self.name,), self._trust())

    def _trust(self) -> ServerTrust:
        trust = self.rules.server_trust(self.rules.details.model_construct(**{self.field: getattr(self, self.field)}))
        return trust.over_tls if trust is not None else ServerTrust(())


@cache
def _firmware_model(rules: ImageRules[Any], field: str) -> type[FieldFirmware]:
    fields: dict[str, Any] = {field: (rules.details.model_fields[field].annotation, ...)}
    model: type[FieldFirmware] = create_model("FieldFirmware", __base__=FieldFirmware, **fields)
    model.rules, model.field = rules, field
    return model


class Plan(BaseModel):
    """All of it. Paths in it are as in the file; `read_plan` makes them absolute."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    #: Firmware that is judged: of this manifest, and of the tables below.
    manifest: Path | None = None
    #: NAME.pem for each pin; the certificates of the authorities below where none is told.
    pins: Path | None = None
    #: Folder of the authorities that recipes name (rig.trust.web_pki); new ones in memory where none is told.
    authorities: Path | None = None
    endpoint: tuple[PlannedEndpoint, ...] = Field(min_length=1)
    firmware: tuple[SerializeAsAny[FieldFirmware], ...] = ()
    #: Images of the manifest that left the house, and when; all of them, since ever, where none is named.
    shipped: dict[str, Instant] = {}
    #: Names of firmware that is known to be lost: it alarms nobody any more.
    written_off: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _each_once(self) -> Plan:
        endpoints = [f"{one.host.lower()}:{one.port or '*'}" for one in self.endpoint]
        for what, names in (("endpoint", endpoints), ("firmware", [one.name for one in self.firmware])):
            if twice := [name for name in names if names.count(name) > 1]:
                raise ValueError(f"{what} {twice[0]} is there twice")
        return self


def read_plan(path: Path) -> Plan:
    """Read a plan from TOML; its paths are beside it. Raises Misuse that names file and field."""
    plan, folder = read_document(path, Plan, "the plan"), real(path).parent

    def beside(chosen: Path | None) -> Path | None:
        return None if chosen is None else folder / chosen

    endpoints = tuple(
        endpoint.model_copy(
            update={"shows": tuple(one.model_copy(update={"chain": beside(one.chain)}) for one in endpoint.shows)}
        )
        for endpoint in plan.endpoint
    )
    paths = {name: beside(getattr(plan, name)) for name in ("manifest", "pins", "authorities")}
    return plan.model_copy(update={"endpoint": endpoints, **paths})
