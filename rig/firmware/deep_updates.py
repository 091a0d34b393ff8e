"""Deep updates as data: what is installed, what must be true afterwards, what people are told before."""

from __future__ import annotations

import tomllib
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from rig.errors import Misuse


class DeepUpdate(BaseModel):
    """One deep update; `seconds` is from the image's first start until the Core listens, at full speed."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9.-]*$")
    image: str
    radio: str
    functions: list[str] = []
    seconds: float = Field(gt=0, le=3600)
    policy_updates: int = Field(ge=1, le=100)
    instructions: str = Field(min_length=1)


class _Document(BaseModel):
    model_config = ConfigDict(extra="forbid")

    deep_update: list[DeepUpdate] = Field(alias="deep-update", default=[])


def load_deep_updates(path: Path) -> dict[str, DeepUpdate]:
    """All deep updates by name. Raises Misuse that names the field."""
    try:
        found = _Document.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except (OSError, UnicodeDecodeError) as error:
        raise Misuse(f"cannot read {path}: {error}") from error
    except tomllib.TOMLDecodeError as error:
        raise Misuse(f"{path} is not TOML: {error}") from error
    except ValidationError as error:
        first = error.errors()[0]
        raise Misuse(f"{path}: {'.'.join(map(str, first['loc']))}: {first['msg']}") from error
    return {entry.name: entry for entry in found.deep_update}
