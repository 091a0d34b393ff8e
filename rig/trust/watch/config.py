"""What a watch is told: endpoints, the firmware that asks them, thresholds, and whom to alert."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SerializeAsAny, field_validator, model_validator

from rig.errors import Misuse
from rig.files import real
from rig.firmware.document import read_document
from rig.ports import checked_url, format_address, is_port, read_address
from rig.trust.look.dialling import is_ip, sni_name
from rig.trust.soundness import Defect
from rig.trust.timeline.lifetimes import Renewal
from rig.trust.timeline.plan import FieldFirmware

Level = Literal["info", "warning", "critical"]
LEVELS: tuple[Level, ...] = ("info", "warning", "critical")
Port = Annotated[int, Field(ge=1, le=65535)]
Days = Annotated[float, Field(ge=0, le=36500, allow_inf_nan=False)]
Seconds = Annotated[float, Field(gt=0, le=600, allow_inf_nan=False)]
Minutes = Annotated[float, Field(gt=0, le=10080, allow_inf_nan=False)]
ChannelName = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]*$")]
Variable = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")]
DEFAULT_PORT = 443


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class WatchedEndpoint(_Table):
    """A server: all addresses of its name are looked at where none are named."""

    host: str
    port: Port = DEFAULT_PORT
    #: IP addresses, with a port (IP:PORT, [IPv6]:PORT) where it is another one.
    addresses: tuple[str, ...] = Field(default=(), max_length=64)
    family: Literal["any", "ipv4", "ipv6"] = "any"
    #: Each address has an identity of its own, and nothing is wrong with that.
    addresses_differ: bool = False
    #: Flaws that are as they should be, by name.
    accept: tuple[Defect, ...] = ()

    @property
    def name(self) -> str:
        """What it is called in alerts, state and metrics."""
        return format_address(self.host, self.port)

    @property
    def places(self) -> tuple[tuple[str, int], ...]:
        """The addresses that are named: IP address, port."""
        return tuple(_place(text, self.port) for text in self.addresses)

    @field_validator("host")
    @classmethod
    def _a_name(cls, host: str) -> str:
        if any(sign in host for sign in "/@ "):
            raise ValueError(f"{host!r} is no host name")
        try:
            return (sni_name(host) or host).lower()
        except Misuse as error:
            raise ValueError(str(error)) from None

    @field_validator("addresses")
    @classmethod
    def _ip_addresses(cls, addresses: tuple[str, ...]) -> tuple[str, ...]:
        for text in addresses:
            _place(text, DEFAULT_PORT)
        return addresses


class Thresholds(_Table):
    """When something is told; days count back from the end of a certificate."""

    ends: tuple[Days, ...] = (14, 7, 1)
    #: For certificates that issue others: those served, and those that firmware pins.
    authority_ends: tuple[Days, ...] = (90, 30)
    #: How long before its end a certificate is renewed; a third of its life where it is not told.
    renew_before: Annotated[float, Field(ge=1, le=36500)] | None = None
    #: How long before that day it is told, and how long after it a renewal counts as missed.
    renew_notice: Days = 7
    renew_grace: Days = 2
    #: Looks in a row without an answer until an address is unreachable.
    unreachable_after: int = Field(default=1, ge=1, le=1000)

    @property
    def renewal(self) -> Renewal:
        """The same as a rule for certificates."""
        return Renewal(before_end=self.renew_before)


class Webhook(_Table):
    """Each alert is POSTed as JSON. What is secret comes from the environment: its URL, and values of headers."""

    name: ChannelName = "webhook"
    url: Annotated[str, Field(pattern=r"^https?://[^\s/]+(/\S*)?$"), AfterValidator(checked_url)] | None = None
    url_from: Variable | None = None
    #: Header → environment variable.
    headers_from: dict[Annotated[str, Field(pattern=r"^[A-Za-z0-9-]+$")], Variable] = {}
    timeout: Seconds = 10
    least: Level = "info"

    @model_validator(mode="after")
    def _one_url(self) -> Webhook:
        if (self.url is None) == (self.url_from is None):
            raise ValueError("needs either url or url_from")
        return self

    def address(self, environment: Mapping[str, str] = os.environ) -> tuple[str, dict[str, str]]:
        """Its URL and headers. Raises Misuse for a variable that is not set."""
        for variable in (*filter(None, [self.url_from]), *self.headers_from.values()):
            if not environment.get(variable):
                raise Misuse(f"webhook {self.name} needs the environment variable {variable}", hint="it is not set")
        url = self.url or environment[self.url_from or ""]
        try:
            checked_url(url)
        except ValueError:
            raise Misuse(f"{self.url_from} holds no URL", hint="https://…") from None
        return url, {header: environment[variable] for header, variable in self.headers_from.items()}


class Command(_Table):
    """A command that gets each alert as JSON on its standard input; exit status 0 says that it took it."""

    name: ChannelName = "command"
    argv: tuple[str, ...] = Field(min_length=1)
    timeout: Seconds = 30
    least: Level = "info"

    def check(self) -> None:
        """Raises Misuse where there is no such program."""
        if shutil.which(self.argv[0]) is None:
            raise Misuse(f"command {self.name}: argv: there is no program {self.argv[0]} that can be started")


class Alerts(_Table):
    """Whom to alert; each has a queue of its own."""

    webhook: tuple[Webhook, ...] = ()
    command: tuple[Command, ...] = ()

    @property
    def channels(self) -> tuple[Webhook | Command, ...]:
        """All of them."""
        return (*self.webhook, *self.command)

    @model_validator(mode="after")
    def _each_once(self) -> Alerts:
        _once("name", [channel.name for channel in self.channels])
        return self


class MetricsPlan(_Table):
    """Where Prometheus finds figures: a file for node_exporter's textfile collector, a port of loopback."""

    file: Path | None = None
    listen: str | None = None

    @field_validator("listen")
    @classmethod
    def _of_loopback(cls, text: str | None) -> str | None:
        host, _, port = (text or "localhost:0").rpartition(":")
        is_loopback = host == "localhost" or re.fullmatch(r"127\.\d+\.\d+\.\d+|\[::1\]", host)
        if not is_loopback or not is_port(port, lowest=0):
            raise ValueError(f"{text!r} is no port of loopback, such as 127.0.0.1:9469")
        return text


class WatchConfig(_Table):
    """All of it. Paths in it are as in the file; `read_watch_config` makes them absolute."""

    #: Minutes from one look at an endpoint to the next, each this share shorter or longer; and the longest pause after
    #: looks without an answer.
    every: Minutes = 10
    jitter: float = Field(default=0.2, ge=0, le=0.9)
    longest_pause: Minutes = 60
    #: Seconds for the first look at one address; looks at once.
    timeout: Seconds = 10
    #: Seconds until an address that does not answer is looked at again; it is looked at three times.
    look_again: Seconds = 5
    at_once: int = Field(default=100, ge=1, le=1000)
    state: Path | None = None
    #: Firmware in the field: of a manifest, and of the tables below, and the folder with NAME.pem for each pin.
    manifest: Path | None = None
    pins: Path | None = None
    #: Roots that chains must lead to: PEM file or folder; none: whatever they lead to.
    roots: Path | None = None
    thresholds: Thresholds = Field(default_factory=Thresholds)
    endpoint: tuple[WatchedEndpoint, ...] = Field(min_length=1)
    firmware: tuple[SerializeAsAny[FieldFirmware], ...] = ()
    alert: Alerts = Field(default_factory=Alerts)
    metrics: MetricsPlan = Field(default_factory=MetricsPlan)

    @model_validator(mode="after")
    def _whole(self) -> WatchConfig:
        _once("endpoint", [endpoint.name for endpoint in self.endpoint])
        _once("firmware", [firmware.name for firmware in self.firmware])
        if (self.manifest or self.firmware) and self.pins is None:
            raise ValueError("pins: firmware needs the folder of the certificates that it pins")
        return self


def read_watch_config(path: Path) -> WatchConfig:
    """Read it from TOML; its paths are beside it. Raises Misuse that names file and field."""
    config, folder = read_document(path, WatchConfig, "the watch's config"), real(path).parent
    paths: dict[str, Path] = {}
    for name in ("state", "manifest", "pins", "roots"):
        chosen = getattr(config, name)
        if chosen is not None:
            paths[name] = folder / chosen
    metrics = config.metrics
    if metrics.file is not None:
        metrics = metrics.model_copy(update={"file": folder / metrics.file})
    state = paths.pop("state", folder / f"{path.stem}-state")
    return config.model_copy(update={**paths, "state": state, "metrics": metrics})


def _place(text: str, port: int) -> tuple[str, int]:
    if is_ip(text):
        return text, port
    try:
        host, number = read_address(text, "address", "192.0.2.10:443")
    except Misuse:
        host, number = "", 0
    if not is_ip(host):
        raise ValueError(f"{text!r} is no IP address, with or without a port")
    return host, number


def _once(what: str, names: list[str]) -> None:
    for name in _twice(names):
        raise ValueError(f"{what} {name!r} is there twice")


def _twice(names: list[str]) -> Iterator[str]:
    return (name for at, name in enumerate(names) if name in names[:at])
