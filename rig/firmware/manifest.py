"""The manifest: every image the rig knows by name, its identity, and how it behaves when it runs.

One TOML file; genuine releases may be listed by file and sha256 and kept outside of git.
"""

from __future__ import annotations

import hashlib
from copy import copy
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from rig.errors import Misuse
from rig.files import MOST_IMAGE, is_there, read_given
from rig.firmware.document import read_document, wrong_field
from rig.firmware.esp_behaviour import EspBehaviour
from rig.firmware.esp_boots import EspBoots
from rig.firmware.recipe import Recipe
from rig.formats.spark_flash import GENERATIONS

Runs = Literal["ok", "crashes", "hangs", "never-confirms"]
BoardKind = Literal["spark-core", "esp32"]
#: Roles of images that a board may be found running; the others are there to be refused or to fail.
OUTCOME_ROLES = ("old", "new", "previous", "factory")


@dataclass(frozen=True)
class Image:
    """A firmware file with an identity."""

    name: str
    board: str
    version: str
    data: bytes
    runs: str
    offers: str = "tinker"
    patches_radio: str | None = None
    #: How an ESP32's application behaves, and how its second stage was built.
    esp32: EspBehaviour | None = None
    boots: EspBoots | None = None

    @cached_property
    def sha256(self) -> str:
        """Identity: hex digest over the whole file."""
        return hashlib.sha256(self.data).hexdigest()

    def __len__(self) -> int:
        return len(self.data)


class Entry(BaseModel):
    """One image in the manifest: made by a recipe, or read from a file beside the manifest."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9.-]*$")
    board: BoardKind
    version: str = Field(pattern=r"^[ -~]{1,80}$")
    runs: Runs
    #: What it offers its cloud: Tinker's four functions, or what suites probe.
    offers: Literal["tinker", "probe"] = "tinker"
    #: The service pack it brings into a Core's radio.
    patches_radio: str | None = Field(default=None, pattern=r"^1\.\d\d$")
    #: What an ESP32's application does, or how its second stage was built.
    esp32: EspBehaviour | None = None
    boots: EspBoots | None = None
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    recipe: Recipe | None = None
    file: Path | None = None

    @classmethod
    def checked(cls, fields: dict[str, str], source: str) -> Entry:
        """An entry from its fields. Raises Misuse that names the field."""
        try:
            return cls.model_validate(fields)
        except ValidationError as error:
            raise wrong_field(source, error) from error

    @model_validator(mode="after")
    def _one_source(self) -> Entry:
        if (self.recipe is None) == (self.file is None):
            raise ValueError("needs either a recipe or a file")
        return self


class Bootloader(BaseModel):
    """A board's bootloader as it is read out: with a recipe one for twins, without one a genuine one to recognise."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9.-]*$")
    board: BoardKind
    generation: str
    size: int = Field(ge=8, le=0x4000)
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    recipe: Recipe | None = None

    @field_validator("generation", mode="before")
    @classmethod
    def _known(cls, name: object) -> object:
        known = name.lower() if isinstance(name, str) else name
        if known not in GENERATIONS:
            raise ValueError(f"is none of {', '.join(GENERATIONS)}")
        return known

    def matches(self, area: bytes) -> bool:
        """Whether `area` begins with this bootloader."""
        return hashlib.sha256(area[: self.size]).hexdigest() == self.sha256


#: Parts an image may play; a suite whose part nobody plays is not run. `old` is what every test starts from.
ROLES = frozenset({
    *("old", "new", "previous", "factory", "crashing", "hanging", "blank", "oversize", "text", "full", "probe", "fast"),
    *("deep_update", "bootloader", "table", "never_confirms", "plain_bootloader", "other_table"),
    *("table_2mb", "table_8mb", "table_16mb"),
})  # fmt: skip
Cast = dict[str, str]


class _Document(BaseModel):
    model_config = ConfigDict(extra="forbid")

    image: list[Entry] = []
    bootloader: list[Bootloader] = []
    roles: dict[BoardKind, Cast] = {}
    #: Other casts for a kind of board, by name: what they do not name is as in its roles.
    variants: dict[BoardKind, dict[str, Cast]] = {}

    @model_validator(mode="after")
    def _names(self) -> _Document:
        names = [entry.name for entry in self.image]
        loaders = [entry.name for entry in self.bootloader]
        for what, known in (("image", names), ("bootloader", loaders)):
            if twice := {name for name in known if known.count(name) > 1}:
                raise ValueError(f"{what} {min(twice)!r} is there twice")
        if both := set(names) & set(loaders):
            raise ValueError(f"bootloader {min(both)!r} is called as an image is")
        others = [cast for casts in self.variants.values() for cast in casts.values()]
        for cast in [*self.roles.values(), *others]:
            for role, name in cast.items():
                if role not in ROLES:
                    raise ValueError(f"there is no role {role}")
                if name not in names:
                    raise ValueError(f"role {role} names {name!r}, which is no image")
        for board, cast in self.roles.items():
            if lacking := {"old", "new"} - set(cast):
                raise ValueError(f"roles.{board} has no {min(lacking)}")
        return self


def _beside(listing: Path, entry: Entry) -> Path | None:
    return None if entry.file is None else listing.parent / entry.file


class Manifest:
    """The images of one manifest file and the releases beside it, built or read when they are asked for."""

    def __init__(self, path: Path, document: _Document, releases: list[Entry]):
        self.path = path
        self.entries = {entry.name: entry for entry in [*document.image, *releases]}
        self._releases = releases
        self.bootloaders = document.bootloader
        self._roles, self._variants = document.roles, document.variants
        self._images: dict[str, Image] = {}

    @classmethod
    def load(cls, path: Path) -> Manifest:
        """Read and validate `path`. Raises Misuse that names the file and the field."""
        document = read_document(path, _Document, "the manifest")
        releases = path.parent / "releases" / "manifest.toml"
        added = read_document(releases, _Document, "the manifest").image if is_there(releases) else []
        known = {entry.name for entry in document.image}
        if twice := [entry.name for entry in added if entry.name in known]:
            raise Misuse(f"{releases}: image {twice[0]!r} is in {path.name} too")
        return cls(path, document, [entry.model_copy(update={"file": _beside(releases, entry)}) for entry in added])

    def image(self, name: str) -> Image:
        """The image called `name`, its sha256 checked. Raises Misuse."""
        if name not in self._images:
            entry = self.entries.get(name)
            if entry is None:
                raise Misuse(f"no image is called {name!r}", hint=f"{self.path} knows {', '.join(self.entries)}")
            image = Image(
                entry.name,
                entry.board,
                entry.version,
                self._bytes(entry),
                entry.runs,
                entry.offers,
                entry.patches_radio,
                entry.esp32,
                entry.boots,
            )
            if image.sha256 != entry.sha256:
                raise Misuse(
                    f"{self.path}: image {name!r} has sha256 {image.sha256}, the manifest says {entry.sha256}",
                    hint="a recipe or file was changed: give it a new name or the new sha256",
                )
            self._images[name] = image
        return self._images[name]

    def images(self, board: str) -> list[Image]:
        """All images for boards of kind `board`, in the manifest's order. Raises Misuse."""
        return [self.image(entry.name) for entry in self.entries.values() if entry.board == board]

    def roles(self, board: BoardKind, variant: str | None = None) -> dict[str, Image]:
        """Which image plays which part for boards of this kind: old and new at least. Raises Misuse."""
        if board not in self._roles:
            raise Misuse(f"{self.path}: roles.{board} is missing")
        cast = self._roles[board]
        if variant is not None:
            others = self._variants.get(board, {})
            if variant not in others:
                raise Misuse(f"{self.path}: variants.{board}.{variant} is missing")
            cast = {**cast, **others[variant]}
        return {role: self.image(name) for role, name in cast.items()}

    def releases(self, board: str) -> list[str]:
        """Names of the genuine releases for boards of this kind that were added beside the manifest."""
        return [entry.name for entry in self._releases if entry.board == board]

    def roles_of(self, name: str) -> list[str]:
        """The parts an image plays."""
        return [role for cast in self._roles.values() for role, named in cast.items() if named == name]

    def trying(self, release: str) -> Manifest:
        """The same images with `release` in the part of the new one. Raises Misuse."""
        board = self.image(release).board
        changed = copy(self)
        changed._roles = {
            kind: {**cast, "new": release} if kind == board else cast for kind, cast in self._roles.items()
        }
        return changed

    def bootloader_in(self, area: bytes) -> Bootloader | None:
        """Which bootloader lies at the beginning of `area`, None for one that nobody has listed."""
        return next((known for known in self.bootloaders if known.matches(area)), None)

    def bootloader_code(self, generation: str) -> bytes:
        """Something that stands for the bootloader of a generation: what a twin is shipped with. Raises Misuse."""
        for known in self.bootloaders:
            if known.generation == generation and known.recipe is not None:
                code = known.recipe.build()
                if len(code) != known.size or not known.matches(code):
                    raise Misuse(
                        f"{self.path}: bootloader {known.name!r} is {len(code)} bytes with sha256 "
                        f"{hashlib.sha256(code).hexdigest()}, the manifest says {known.size} and {known.sha256}"
                    )
                return code
        raise Misuse(f"{self.path}: no bootloader of generation {generation} has a recipe")

    def _bytes(self, entry: Entry) -> bytes:
        if entry.recipe is not None:
            return entry.recipe.build()
        assert entry.file is not None
        try:
            return read_given(self.path.parent / entry.file, MOST_IMAGE)
        except Misuse as error:
            raise Misuse(f"{self.path}: image {entry.name!r}: {error.message}", hint=error.hint) from error
