"""Deep updates as data: what is installed, what must be true afterwards, what people are told before."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from rig.errors import Misuse
from rig.firmware.document import read_document


class Window(BaseModel):
    """A stretch in which lost power costs something: when it begins, from the image's first start, at full speed."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(pattern=r"^[a-z][a-z-]*$")
    begins: float = Field(ge=0, le=3600)
    seconds: float = Field(gt=0, le=3600)
    costs: str = Field(min_length=1)


class DeepUpdate(BaseModel):
    """One deep update; `seconds` is from the image's first start until the Core listens, at full speed."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9.-]*$")
    image: str
    radio: str
    functions: list[str] = []
    seconds: float = Field(gt=0, le=3600)
    windows: list[Window] = []
    policy_updates: int = Field(ge=1, le=100)
    instructions: str = Field(min_length=1)

    def window(self, name: str) -> Window:
        """The window of this name. Raises Misuse."""
        for window in self.windows:
            if window.name == name:
                return window
        known = ", ".join(window.name for window in self.windows) or "none"
        raise Misuse(f"the deep update {self.name} has no window {name!r}", hint=f"it has {known}")


class _Document(BaseModel):
    model_config = ConfigDict(extra="forbid")

    deep_update: list[DeepUpdate] = Field(alias="deep-update", default=[])


def load_deep_updates(path: Path) -> dict[str, DeepUpdate]:
    """All deep updates by name. Raises Misuse that names the field."""
    found = read_document(path, _Document, "the deep updates")
    return {entry.name: entry for entry in found.deep_update}
