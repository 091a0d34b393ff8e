"""What a manifest file may hold: entries of images and bootloaders, which part each image plays, variants."""

from __future__ import annotations

import hashlib
from functools import cache, reduce
from operator import or_
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    SerializeAsAny,
    ValidationError,
    ValidationInfo,
    create_model,
    field_validator,
    model_validator,
)

from rig import registry
from rig.errors import Misuse
from rig.firmware.document import ByContent, wrong_field
from rig.firmware.image_rules import Bootloaders, Details, rules_of
from rig.firmware.recipe import COMMON_RECIPES, AnyRecipe, Recipe
from rig.firmware.roles import roles_for

Runs = Literal["ok", "crashes", "hangs", "never-confirms"]
#: Which image plays which part, by name.
RoleSet = dict[str, str]


def _known(kind: str) -> str:
    """The kind of board, where somebody knows it. Raises ValueError."""
    try:
        return registry.checked_kind(kind)
    except Misuse as error:
        raise ValueError(f"{error.message}: {error.hint}") from error


#: A kind of board that a family is there for, such as the registry has.
BoardKind = Annotated[str, AfterValidator(_known)]


class Entry(ByContent):
    """One image in the manifest: made by a recipe, or read from a file beside the manifest.

    Of a kind of board that is known, an entry also has the fields of that family's details.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9.-]*$")
    board: BoardKind
    #: None where the file itself tells it.
    version: str | None = Field(default=None, pattern=r"^[ -~]{1,80}$")
    runs: Runs = "ok"
    #: None for a file that is taken as it is found: one that is built anew every day.
    sha256: str | None = Field(default=None, pattern=r"^[0-9a-f]{64}$")
    recipe: AnyRecipe | None = None
    file: Path | None = None

    @classmethod
    def model_for(cls, content: object) -> type[Entry]:
        """The model of the kind of board that an entry names."""
        kind = content.get("board") if isinstance(content, dict) else None
        if not isinstance(kind, str) or not registry.is_kind(kind):
            return cls
        rules = rules_of(kind)
        details: type[Details] = rules.details
        return _entry_model(details, rules.recipes)

    @classmethod
    def checked(cls, fields: dict[str, str], source: str) -> Entry:
        """An entry from its fields. Raises Misuse that names the field."""
        try:
            return cls.model_validate(fields)
        except ValidationError as error:
            raise wrong_field(source, error) from error

    @property
    def details(self) -> Details:
        """What only entries for this kind of board say."""
        model: type[Details] = rules_of(self.board).details
        return model.model_construct(**{name: getattr(self, name) for name in model.model_fields})

    @model_validator(mode="after")
    def _one_source(self) -> Entry:
        if (self.recipe is None) == (self.file is None):
            raise ValueError("needs either a recipe or a file")
        if self.recipe is not None and (self.sha256 is None or self.version is None):
            raise ValueError("an image that a recipe makes needs version and sha256")
        return self


@cache
def _entry_model(details: type[Details], own: tuple[type[AnyRecipe], ...]) -> type[Entry]:
    """What an entry for one kind of board may say: its details, and its own recipes. The same model each time."""
    recipes: Any = reduce(or_, (*COMMON_RECIPES, *own))
    base: Any = (details, Entry)
    fields: dict[str, Any] = {"recipe": (Annotated[recipes, Field(discriminator="kind")] | None, None)}
    made: type[Entry] = create_model("Entry", __base__=base, **fields)
    return made


class Bootloader(BaseModel):
    """A board's bootloader as it is read out: with a recipe one for twins, without one a genuine one to recognise."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9.-]*$")
    board: BoardKind
    generation: str
    size: int = Field(ge=8)
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    recipe: Recipe | None = None

    @field_validator("generation", mode="before")
    @classmethod
    def _known_generation(cls, name: object, info: ValidationInfo) -> object:
        known = name.lower() if isinstance(name, str) else name
        listed = _bootloaders_of(info)
        if listed is not None and known not in listed.generations:
            there_are = ", ".join(listed.generations)
            raise ValueError(f"is none of {there_are}" if there_are else "boards of this kind have none")
        return known

    @field_validator("size")
    @classmethod
    def _has_room(cls, size: int, info: ValidationInfo) -> int:
        listed = _bootloaders_of(info)
        if listed is not None and size > listed.room:
            raise ValueError(f"Input should be less than or equal to {listed.room}")
        return size

    def matches(self, area: bytes) -> bool:
        """Whether `area` begins with this bootloader."""
        return hashlib.sha256(area[: self.size]).hexdigest() == self.sha256


def _bootloaders_of(info: ValidationInfo) -> Bootloaders | None:
    """What there are of the kind of board that an entry names; None where that is wrong itself."""
    return rules_of(info.data["board"]).bootloaders if "board" in info.data else None


class Document(BaseModel):
    """A whole manifest file, as far as it can be judged alone: what its roles name may be in another manifest."""

    model_config = ConfigDict(extra="forbid")

    #: A file beside the manifest: what its firmware is expected to become, by path and phase.
    expectations: Path | None = None
    image: list[SerializeAsAny[Entry]] = []
    bootloader: list[Bootloader] = []
    roles: dict[BoardKind, RoleSet] = {}
    #: Variants for a kind of board, by name: what they do not name is as in its roles.
    variants: dict[BoardKind, dict[str, RoleSet]] = {}

    @model_validator(mode="after")
    def _names(self) -> Document:
        names = [entry.name for entry in self.image]
        loaders = [entry.name for entry in self.bootloader]
        for what, known in (("image", names), ("bootloader", loaders)):
            if twice := {name for name in known if known.count(name) > 1}:
                raise ValueError(f"{what} {min(twice)!r} is there twice")
        if both := set(names) & set(loaders):
            raise ValueError(f"bootloader {min(both)!r} is called as an image is")
        for kind, role_set in self._role_sets():
            if unknown := set(role_set) - roles_for(kind):
                raise ValueError(f"there is no role {min(unknown)}")
        return self

    def role_sets(self) -> list[RoleSet]:
        """Every role set in it."""
        return [role_set for _, role_set in self._role_sets()]

    def _role_sets(self) -> list[tuple[str, RoleSet]]:
        others = ((kind, role_set) for kind, role_sets in self.variants.items() for role_set in role_sets.values())
        return [*self.roles.items(), *others]
