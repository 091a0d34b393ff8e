"""What an identity is to be like, as data: who issues it, its key, its validity, and what is served behind it."""

from __future__ import annotations

import contextlib
import ipaddress
import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from rig.firmware.document import wrong_field
from rig.trust.authority import Digest
from rig.trust.keys import KeyKind

_NAME = re.compile(r"(\*\.)?([a-z0-9_]([a-z0-9_-]*[a-z0-9_])?\.)*[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?", re.IGNORECASE)


def _name(text: str) -> str:
    """What a certificate can be for: a name that clients dial, with a star in front or not, or an IP address."""
    with contextlib.suppress(ValueError):
        return str(ipaddress.ip_address(text))
    if not _NAME.fullmatch(text):
        raise ValueError(f"{text!r} is no name of a host")
    return text


AuthorityName = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]*$")]


class IdentityRecipe(BaseModel):
    """Defaults make what servers of the field have: a P-256 leaf for its own name, 90 days, its whole path behind."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    #: Who issues it, by name (rig.trust.web_pki).
    under: AuthorityName = "rig-intermediate"
    #: `kept` takes the key of the identity that is shown now: a new certificate and no new key.
    key: Literal[KeyKind, "kept"] = "p256"
    #: What it is for; the name of its host where none is told.
    names: tuple[Annotated[str, AfterValidator(_name)], ...] = ()
    begins: AwareDatetime | None = None
    days: float = Field(default=90, gt=0, le=36500)
    digest: Digest = "sha256"
    must_staple: bool = False
    #: Certificates served behind the leaf, by their authorities' names: too few, too many, or in the wrong order.
    behind: tuple[AuthorityName, ...] | None = None
    #: KiB of certificates of nobody's behind all others.
    padding: int = Field(default=0, ge=0, le=256)

    @property
    def until(self) -> datetime | None:
        """When it ends, where its beginning is told."""
        return None if self.begins is None else self.begins + timedelta(days=self.days)


def read_recipe(fields: Mapping[str, Any], source: str = "recipe") -> IdentityRecipe:
    """A recipe from its fields. Raises Misuse that names the field."""
    try:
        return IdentityRecipe.model_validate(dict(fields))
    except ValidationError as error:
        raise wrong_field(source, error, IdentityRecipe) from error
