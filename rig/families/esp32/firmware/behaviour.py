"""How an ESP32 image behaves when it runs: which update client it has, whom that trusts, when it confirms itself.

It is the `esp32` table of an image in the manifest. What real clients do with it is in the
sources of ESP-IDF, arduino-esp32 and Deploy the Fleet.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from rig.errors import Misuse
from rig.families.esp32.firmware.releases import STANDARD_IDF, CoreName, IdfName
from rig.families.esp32.formats.idf import ArduinoCore, Idf
from rig.families.esp32.formats.idf_client import ANSWERS_DIGEST, INVALIDATES_AT_BEGIN, PARTIAL, RESUMPTION
from rig.families.esp32.formats.mbedtls import build_of
from rig.formats.mbedtls_build import MbedTls
from rig.ports import checked_url

Challenge = Literal["basic", "digest"]
Client = Literal["https-ota", "arduino", "deploy-the-fleet"]
FleetRelease = Literal[
    "1.0.0", "1.0.1", "1.0.2", "1.0.3", "1.0.4", "1.0.5", "1.0.6", "1.0.7", "1.0.8", "sdk-1.0.0",
    "2.0.0", "2.0.1", "2.0.2",
]  # fmt: skip
Seconds = Annotated[float, Field(ge=0, allow_inf_nan=False)]
PinName = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._-]*$")]


@dataclass(frozen=True, slots=True)
class TlsBuild:
    """How mbedTLS was built: the release of ESP-IDF, and whether with the suites of ECDSA certificates."""

    release: Idf = Idf.parse(STANDARD_IDF)  # noqa: RUF009 (frozen)
    ecdsa: bool = True

    @property
    def mbedtls(self) -> MbedTls:
        """What it takes of certificates."""
        return build_of(self.release)


#: As ESP-IDF comes today.
DEFAULT_TLS = TlsBuild()


class EspBehaviour(BaseModel):
    """What the application of an image does; an empty table is one that starts and stays."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    client: Client | None = None
    #: Release of the Deploy the Fleet library: it brings its own pins, and from 2.0 on its own addresses.
    fleet_release: FleetRelease | None = None
    #: Its host is ASCII, as ESP-IDF's parser of URLs takes it: xn--… for others.
    url: Annotated[str, Field(pattern=r"^https?://[!-.0-~]+(/\S*)?$"), AfterValidator(checked_url)] | None = None
    #: Product id of Deploy the Fleet, where the library makes the address.
    product: str | None = Field(default=None, pattern=r"^[\w.-]+$")
    #: Certificates trusted, by name; with `bundle` among them the others were added to the bundle.
    pins: tuple[PinName, ...] = ()
    #: The release of ESP-IDF it is built on; of an Arduino core that is told the one in that.
    idf: IdfName = STANDARD_IDF
    #: The release of the Arduino core; what is not told is the newest on this ESP-IDF.
    core: CoreName | None = None
    rollback: bool = False
    anti_rollback: bool = False
    #: Signatures are verified on update, against the running image's own (secure_boot_signatures_app.c).
    signed: bool = False
    confirms: Literal["at-start", "after-check", "never"] | Seconds = "at-start"
    checks_at_boot: bool = True
    checks_every: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None
    bulk_erase: bool = False
    #: Bytes asked for at a time in partial download.
    partial: int | None = Field(default=None, ge=1024, le=1 << 20)
    resumption: bool = False
    #: Challenges that its HTTP client was built to answer (CONFIG_ESP_HTTP_CLIENT_ENABLE_BASIC_AUTH, …_DIGEST_AUTH);
    #: of a build that says nothing those that its ESP-IDF comes with.
    authorizes: tuple[Challenge, ...] | None = None
    skip_name: bool = False
    checks_dates: bool = False
    #: False: built without ECDHE-ECDSA (CONFIG_MBEDTLS_KEY_EXCHANGE_ECDHE_ECDSA), it takes RSA certificates only.
    ecdsa: bool = True
    #: Looks at the version in the image offered before it begins; without it the same image is installed once more.
    compares_version: bool = True
    #: The application's own limit of a whole update; without one a stalled server is waited for, for ever.
    deadline: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None
    #: Waits for the time from the network before it checks, however long that takes.
    set_time: bool = False
    crashes_after: Seconds | None = None
    hangs_after: Seconds | None = None

    @property
    def idf_release(self) -> Idf:
        """The release that decides what its update client does."""
        return Idf.parse(self.idf)

    @property
    def arduino_core(self) -> ArduinoCore:
        """The Arduino core that decides what HTTPUpdate does."""
        return ArduinoCore.parse(self.core) if self.core is not None else ArduinoCore.on(self.idf_release)

    @property
    def tls_build(self) -> TlsBuild:
        """How its TLS was built."""
        return TlsBuild(self.idf_release, self.ecdsa)

    @property
    def challenges(self) -> tuple[Challenge, ...]:
        """What its HTTP client answers to a 401."""
        if self.authorizes is not None:
            return self.authorizes
        return ("digest",) if self.idf_release.does(ANSWERS_DIGEST) else ()

    @property
    def invalidates_at_begin(self) -> bool:
        """Whether esp_ota_begin erases the rollback record (esp_ota_ops.c)."""
        return self.rollback and self.idf_release.does(INVALIDATES_AT_BEGIN)

    @model_validator(mode="before")
    @classmethod
    def _of_the_core(cls, fields: Any) -> Any:
        """Where only the core is told, it says which ESP-IDF."""
        if not isinstance(fields, dict) or not isinstance(fields.get("core"), str) or "idf" in fields:
            return fields
        try:
            return {**fields, "idf": str(ArduinoCore.parse(fields["core"]).idf)}
        except Misuse as error:
            raise ValueError(f"core: {error.message}: {error.hint}") from error

    @model_validator(mode="after")
    def _an_address(self) -> EspBehaviour:
        if (self.fleet_release is None) == (self.client == "deploy-the-fleet"):
            raise ValueError("fleet_release and client deploy-the-fleet go together")
        if self.client is None:
            if self.url or self.product or self.pins:
                raise ValueError("url, product and pins need a client")
            return self
        makes_address = self.fleet_release is not None and not self.fleet_release.startswith("1.")
        needed, other = ("product", "url") if makes_address else ("url", "product")
        if getattr(self, needed) is None or getattr(self, other) is not None:
            raise ValueError(f"this client needs {needed}, not {other}")
        if self.fleet_release is not None and self.pins:
            raise ValueError("the library brings its own pins")
        return self

    @model_validator(mode="after")
    def _only_what_exists(self) -> EspBehaviour:
        if self.client != "https-ota" and (self.partial or self.resumption or self.bulk_erase or self.skip_name):
            raise ValueError("partial, resumption, bulk_erase and skip_name are the https-ota client's")
        if self.resumption and not self.idf_release.does(RESUMPTION):
            raise ValueError("resumption came with idf 5.5")
        if self.partial is not None and not self.idf_release.does(PARTIAL):
            raise ValueError("partial came with idf 4.4")
        if self.anti_rollback and not self.rollback:
            raise ValueError("anti_rollback needs rollback")
        if self.crashes_after is not None and self.hangs_after is not None:
            raise ValueError("crashes_after and hangs_after exclude each other")
        return self
