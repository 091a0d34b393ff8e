"""Where a remote nginx keeps its identity, and how it is told of another: one entry of the file a team keeps."""

from __future__ import annotations

import re
import warnings
from pathlib import Path
from typing import Annotated, Any

from cryptography import x509
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    RootModel,
    ValidationError,
    field_validator,
    model_validator,
)

from rig.errors import Misuse
from rig.firmware.document import read_document, wrong_field
from rig.ports import read_address
from rig.trust.probe.roots import load_roots, system_roots
from rig.trust.remote.ssh_address import SshAddress


def _remote_path(text: str) -> str:
    if not re.fullmatch(r"/[^\x00-\x1f]*[^/\x00-\x1f]", text):
        raise ValueError(f"{text!r} is no absolute path of a file, such as /etc/nginx/tls/ota.pem")
    return text


RemotePath = Annotated[str, AfterValidator(_remote_path)]


class NginxPlan(BaseModel):
    """One server: how to log in, which files its configuration names, where clients meet it.

    `live_chain` and `live_key` are paths on the server, absolute, as `ssl_certificate` and `ssl_certificate_key` name
    them. `nginx` is how the program is called there, for example through sudo; `reload` where it is not `nginx -s
    reload`. `roots` (PEM, or a folder of it) are what a chain has to lead to; the system's where it is not told.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    ssh: str
    names: tuple[str, ...] = Field(min_length=1)
    live_chain: RemotePath
    live_key: RemotePath
    addresses: tuple[str, ...] = ()
    identity_files: tuple[Path, ...] = ()
    known_hosts: Path | None = None
    host_key: str | None = None
    nginx: tuple[str, ...] = Field(default=("nginx",), min_length=1)
    reload: tuple[str, ...] | None = Field(default=None, min_length=1)
    roots: Path | None = None
    #: Firmware in the field, and NAME.pem for each of its pins: an identity that it would refuse is refused here.
    manifest: Path | None = None
    pins: Path | None = None
    #: How long workers may take to change over.
    seconds: float = Field(default=30, gt=0, le=600)

    @field_validator("names", "addresses", "identity_files", "nginx", "reload", mode="before")
    @classmethod
    def _are_lists(cls, value: Any) -> Any:
        if isinstance(value, str):
            raise ValueError(f'needs a list, such as ["{value}"]')
        return value

    @field_validator("ssh")
    @classmethod
    def _is_ssh(cls, text: str) -> str:
        try:
            SshAddress.parse(text)
        except Misuse as error:
            raise ValueError(str(error)) from error
        return text

    @field_validator("addresses")
    @classmethod
    def _are_addresses(cls, texts: tuple[str, ...]) -> tuple[str, ...]:
        try:
            for text in texts:
                _address(text)
        except Misuse as error:
            raise ValueError(str(error)) from error
        return texts

    @model_validator(mode="after")
    def _two_files(self) -> NginxPlan:
        if self.live_chain == self.live_key:
            raise ValueError("live_chain and live_key are one file: give the key a file of its own")
        return self

    @model_validator(mode="after")
    def _firmware_has_pins(self) -> NginxPlan:
        if (self.manifest is None) != (self.pins is None):
            raise ValueError("manifest and pins go together: firmware is judged by both")
        return self

    @property
    def address(self) -> SshAddress:
        """Where to log in."""
        where = SshAddress.parse(self.ssh)
        return SshAddress(where.user, where.host, where.port, self.identity_files, self.known_hosts, self.host_key)

    @property
    def endpoints(self) -> list[tuple[str, int]]:
        """Every address where clients meet it: port 443 of the server where none is told."""
        return [_address(text) for text in self.addresses] or [(self.address.host, 443)]

    def trusted(self) -> tuple[x509.Certificate, ...]:
        """The roots a chain has to lead to. Raises Misuse where there are none."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # old roots break rules that no client minds
            roots = system_roots() if self.roots is None else load_roots(self.roots.expanduser())
        if not roots:
            raise Misuse("this system keeps no roots to judge a chain by", hint="--roots FILE")
        return roots


def make_plan(**fields: object) -> NginxPlan:
    """A plan from what was told on a command line. Raises Misuse."""
    try:
        return NginxPlan.model_validate(fields)
    except ValidationError as error:
        raise wrong_field("this server", error) from error


def read_plan(path: Path, name: str) -> NginxPlan:
    """The plan of a server from a TOML file with a table for each; its own paths begin where it lies. Raises Misuse."""
    plans = read_document(path, _Servers, "the servers").root
    if name not in plans:
        raise Misuse(f"{path} knows no server {name!r}", hint=f"one of {', '.join(plans) or 'none'}")
    plan = plans[name]
    beside = {
        "roots": _beside(path, plan.roots),
        "manifest": _beside(path, plan.manifest),
        "pins": _beside(path, plan.pins),
        "known_hosts": _beside(path, plan.known_hosts),
        "identity_files": tuple(path.parent / file.expanduser() for file in plan.identity_files),
    }
    return plan.model_copy(update=beside)


class _Servers(RootModel[dict[str, NginxPlan]]):
    pass


def _beside(path: Path, file: Path | None) -> Path | None:
    return None if file is None else path.parent / file.expanduser()


def _address(text: str) -> tuple[str, int]:
    return read_address(text, "the address", "192.0.2.10:443")
