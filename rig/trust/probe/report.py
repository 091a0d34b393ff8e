"""What a probe found, as data: the schema of `rig trust probe --json`, and of what `--before` reads."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, ValidationError

from rig.errors import Misuse
from rig.files import MOST_TEXT, read_user_file
from rig.formats.tls_heartbeat import Heartbeats

#: `broken`: clients are refused, or should refuse. `unknown`: it could not be seen.
Level = Literal["broken", "unknown", "warning", "note"]
RevocationStatus = Literal["good", "revoked", "unknown", "stale", "invalid", "unreachable"]


class _View(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class CertificateView(_View):
    """One certificate; `key` is such as rsa-2048 or p256, `sha256` and `key_sha256` are of its DER and its SPKI's."""

    sha256: str
    subject: str
    issuer: str
    serial: str
    names: tuple[str, ...]
    not_before: AwareDatetime
    not_after: AwareDatetime
    key: str
    key_sha256: str
    digest: str | None
    is_authority: bool
    must_staple: bool


class FlawView(_View):
    """What is wrong with a chain: a defect by name (`rig.trust.soundness`), and the words for it."""

    defect: str
    text: str


class ChainView(_View):
    """One identity as it is served, leaf first, to the clients in `clients`; `roots` are those it leads to."""

    certificates: tuple[CertificateView, ...]
    clients: tuple[str, ...]
    in_order: bool
    complete: bool
    has_root: bool
    roots: tuple[str, ...]
    days_left: float
    flaws: tuple[FlawView, ...]

    @property
    def leaf(self) -> CertificateView:
        """The server's own."""
        return self.certificates[0]

    @property
    def algorithm(self) -> str:
        """Of the leaf's key, without its size: `rsa`, `ecdsa`, or another."""
        return "rsa" if self.leaf.key.startswith("rsa") else "ecdsa" if self.leaf.key.startswith("p") else "other"


class ClientView(_View):
    """How a kind of client fared; `accepted` is None where it could not be seen."""

    accepted: bool | None
    version: str | None = None
    cipher: str | None = None
    leaf: str | None = None
    refused: str | None = None


class RevocationView(_View):
    """What one source says of a leaf (its SHA-256); `at` is since when it is revoked."""

    leaf: str
    source: Literal["staple", "ocsp", "crl"]
    url: str | None = None
    status: RevocationStatus
    at: AwareDatetime | None = None
    text: str = ""


class AddressView(_View):
    """All that was seen at one address; with an `error` that is nothing, but for a leak.

    `heartbeats` is None where nobody asked, or where `heartbeats_refused` says why they were not seen.
    """

    address: str
    port: int
    error: str | None = None
    completed: bool = False
    chains: tuple[ChainView, ...] = ()
    clients: dict[str, ClientView] = {}
    revocation: tuple[RevocationView, ...] = ()
    heartbeats: Heartbeats | None = None
    heartbeats_refused: str | None = None


class Finding(_View):
    """One thing that people should know, by its code; `address` where it is of one only."""

    level: Level
    code: str
    text: str
    address: str | None = None


class HostReport(_View):
    """One host, at all its addresses, at one time."""

    host: str
    port: int
    at: AwareDatetime
    addresses: tuple[AddressView, ...]
    findings: tuple[Finding, ...] = ()

    @property
    def exit_status(self) -> int:
        """1 when something is broken, 3 when something could not be seen, 0 (design: the `rig` command)."""
        levels = {finding.level for finding in self.findings}
        return 1 if "broken" in levels else 3 if "unknown" in levels else 0

    @property
    def chains(self) -> list[ChainView]:
        """Every identity that is served at any address."""
        return [chain for address in self.addresses for chain in address.chains]

    def found(self, code: str) -> list[Finding]:
        """The findings of one code."""
        return [finding for finding in self.findings if finding.code == code]


def load_reports(path: Path) -> list[HostReport]:
    """Earlier reports, one a line as `--json` prints them, in the order of their time. Raises Misuse."""
    reports = []
    for number, line in enumerate(read_user_file(path, MOST_TEXT).splitlines(), 1):
        if not line.strip():
            continue
        try:
            reports.append(HostReport.model_validate_json(line))
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(map(str, first["loc"])) or "the line"
            raise Misuse(
                f"{path}, line {number}: {where}: {first['msg']}", hint="a file of `rig trust probe --json`"
            ) from None
    return sorted(reports, key=lambda one: one.at)
