"""The manifest: every image the rig knows by name, its identity, and how it behaves when it runs.

One TOML file; genuine releases may be listed by file and sha256 and kept outside of git. A manifest of one's own is
laid over the rig's: what it does not name comes from there.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from copy import copy
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from rig.errors import Misuse
from rig.files import MOST_IMAGE, is_there, read_user_file
from rig.firmware.document import read_document
from rig.firmware.entries import BoardKind, Bootloader, Document, Entry, RoleSet, Runs
from rig.firmware.filled_in import filled_in_from_file
from rig.firmware.image_rules import Details
from rig.firmware.roles import NEEDED_ROLES
from rig.formats.dfu_suffix import split_suffix
from rig.formats.dfuse_file import is_container

__all__ = ["BoardKind", "Bootloader", "Entry", "Image", "Manifest", "Part", "Runs"]


@dataclass(frozen=True)
class Image:
    """A firmware file with an identity."""

    name: str
    board: str
    version: str
    data: bytes
    runs: str
    #: What its family knows of it beside that: of its own class, None where nobody said anything.
    details: Details | None = None

    @cached_property
    def sha256(self) -> str:
        """Identity: hex digest over the whole file."""
        return hashlib.sha256(self.data).hexdigest()

    def __len__(self) -> int:
        return len(self.data)


@dataclass(frozen=True, slots=True)
class Part:
    """One image that a run may use, and the parts it plays: `old`, or `plain/old` in a variant."""

    name: str
    board: str
    version: str
    sha256: str
    roles: tuple[str, ...]
    #: It comes from the fallback, the rig's own.
    filled_in: bool


class Manifest:
    """The images of one manifest file and the releases beside it, built or read when they are asked for.

    `fallback` is the manifest it is laid over, None where it stands alone. An image of one's own wins over one there
    that is called the same; the fallback names only images of its own.
    """

    def __init__(self, path: Path, document: Document, releases: list[Entry]):
        self.path = path
        self.fallback: Manifest | None = None
        #: What this firmware is expected to become; None where the manifest names no such file.
        self.expectations_path = path.parent / document.expectations if document.expectations is not None else None
        #: Its own images and releases, without those of the fallback.
        self.entries = {entry.name: entry for entry in [*document.image, *releases]}
        self.bootloaders: list[Bootloader] = document.bootloader
        self._releases = releases
        self._roles, self._variants, self._role_sets = document.roles, document.variants, document.role_sets()
        self._images: dict[str, Image] = {}

    @classmethod
    def load(cls, path: Path) -> Manifest:
        """Read and validate `path`, alone. Raises Misuse that names the file and the field."""
        document = read_document(path, Document, "the manifest")
        releases = path.parent / "releases" / "manifest.toml"
        added = read_document(releases, Document, "the manifest").image if is_there(releases) else []
        known = {entry.name for entry in document.image}
        if twice := [entry.name for entry in added if entry.name in known]:
            raise Misuse(f"{releases}: image {twice[0]!r} is in {path.name} too")
        return cls(path, document, [entry.model_copy(update={"file": _beside(releases, entry)}) for entry in added])

    def with_fallback(self, fallback: Manifest | None) -> Manifest:
        """The same, filled in from `fallback`. Raises Misuse for a part that names no image, or that is missing."""
        filled = copy(self)
        filled.fallback = fallback
        filled.bootloaders = [*self.bootloaders, *(fallback.bootloaders if fallback is not None else [])]
        filled._images = {}
        for role_set in self._role_sets:
            if unknown := next((role for role, name in role_set.items() if not filled.knows(name)), None):
                raise Misuse(f"{self.path}: role {unknown} names {role_set[unknown]!r}, which is no image")
        for board in self._roles:
            if lacking := set(NEEDED_ROLES) - set(filled._role_set(board)):
                raise Misuse(f"{self.path}: roles.{board} has no {min(lacking)}")
        return filled

    def knows(self, name: str) -> bool:
        """Whether an image has this name, here or in the fallback."""
        return name in self.entries or (self.fallback is not None and self.fallback.knows(name))

    def image(self, name: str) -> Image:
        """The image called `name`, its sha256 checked. Raises Misuse."""
        if name not in self._images:
            entry = self.entries.get(name)
            if entry is None and self.fallback is not None and self.fallback.knows(name):
                return self.fallback.image(name)
            if entry is None:
                raise Misuse(f"no image is called {name!r}", hint=f"{self.path} knows {', '.join(self.entries)}")
            self._images[name] = self._made(entry)
        return self._images[name]

    def images(self, board: str) -> list[Image]:
        """All images for boards of a kind: its own in order, then those of the fallback that differ. Raises Misuse."""
        own = [self.image(entry.name) for entry in self.entries.values() if entry.board == board]
        known = {image.sha256 for image in own}
        fallback = self.fallback.images(board) if self.fallback is not None else []
        return [*own, *(image for image in fallback if image.sha256 not in known)]

    def images_with(self, board: str, hashes: Collection[str]) -> list[Image]:
        """Those whose SHA-256 begins with one of these; what is told to have another one is not made. Raises Misuse."""
        begins = tuple(hashes)
        entries = [entry for entry in self.entries.values() if entry.board == board]
        maybe = [entry for entry in entries if entry.sha256 is None or entry.sha256.startswith(begins)]
        own = [image for entry in maybe if (image := self.image(entry.name)).sha256.startswith(begins)]
        return [*own, *(self.fallback.images_with(board, begins) if self.fallback is not None else [])]

    def roles(self, board: BoardKind, variant: str | None = None, *, filled_in: bool = True) -> dict[str, Image]:
        """Which image plays which part for boards of this kind, in a role set: old and new at least. Raises Misuse.

        Without `filled_in` only what the manifest names itself, which may be nothing.
        """
        role_set = self._role_set(board, variant)
        if not filled_in and self.fallback is not None:
            named = self._named(board, variant)
            role_set = {role: known for role, known in role_set.items() if role in named}
        elif not role_set:
            where = f"roles.{board}" if variant is None else f"variants.{board}.{variant}"
            raise Misuse(f"{self.path}: {where} is missing")
        return {role: manifest.image(name) for role, (manifest, name) in role_set.items()}

    def genuine_roles(self, board: BoardKind, variant: str | None = None) -> dict[str, Image]:
        """The same for a board that is given no noise: what somebody's manifest names; of the rig's own the files."""
        named = self.roles(board, variant, filled_in=False)
        if self.fallback is not None:
            return named
        return {role: image for role, image in named.items() if self.entries[image.name].recipe is None}

    def is_synthetic(self, name: str) -> bool:
        """Whether an image is one that the rig makes itself, from a recipe of its own manifest. Raises Misuse."""
        self.image(name)
        ours = self.fallback or self
        return self._home(name) is ours and ours.entries[name].recipe is not None

    def has_roles(self, board: BoardKind, variant: str | None = None) -> bool:
        """Whether images have parts in this role set for boards of this kind, here or in the fallback."""
        return bool(self._role_set(board, variant))

    def names_role_set(self, board: str, variant: str | None = None) -> bool:
        """Whether this role set, or a part of it, is named here and not only in the fallback."""
        named: set[tuple[str, str | None]] = {(kind, None) for kind in self._roles}
        named |= {(kind, name) for kind, role_sets in self._variants.items() for name in role_sets}
        return (board, variant) in named

    def kinds(self) -> set[BoardKind]:
        """The kinds of board that it names images or parts for itself."""
        return {entry.board for entry in self.entries.values()} | set(self._roles) | set(self._variants)

    def all_kinds(self) -> list[BoardKind]:
        """The kinds of board that images have parts for, here and in the fallback."""
        fallback = self.fallback.all_kinds() if self.fallback is not None else []
        return list(dict.fromkeys([*fallback, *self._roles, *self._variants]))

    def variants(self, board: BoardKind) -> list[str]:
        """Names of the variants for boards of this kind, here and in the fallback."""
        fallback = self.fallback.variants(board) if self.fallback is not None else []
        return list(dict.fromkeys([*self._variants.get(board, {}), *fallback]))

    def releases(self, board: str) -> list[str]:
        """Names of the genuine releases for boards of this kind that were added beside the manifest."""
        return [entry.name for entry in self._releases if entry.board == board]

    def roles_of(self, name: str) -> list[str]:
        """The parts an image plays, by the manifest's own word."""
        return [role for role_set in self._roles.values() for role, named in role_set.items() if named == name]

    def parts(self) -> list[Part]:
        """What a run may use: every image that plays a part in some role set, once each. Raises Misuse."""
        plays: dict[tuple[Manifest, str], list[str]] = {}
        for board in self.all_kinds():
            for variant in (None, *self.variants(board)):
                for role, known in self._role_set(board, variant).items():
                    if variant is None or known not in self._role_set(board).values():
                        plays.setdefault(known, []).append(role if variant is None else f"{variant}/{role}")
        for name in self.entries:
            if name in {entry.name for entry in self._releases}:
                plays.setdefault((self, name), []).append("release")
        found = []
        for (manifest, name), roles in plays.items():
            version, digest = manifest._identity(name)
            board = manifest.entries[name].board
            found.append(Part(name, board, version, digest, tuple(roles), manifest is not self))
        return found

    def trying(self, release: str) -> Manifest:
        """The same images with `release` in the part of the new one. Raises Misuse."""
        board = self.image(release).board
        changed = copy(self)
        changed._roles = {**self._roles, board: {**self._roles.get(board, {}), "new": release}}
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

    def _role_set(self, board: BoardKind, variant: str | None = None) -> dict[str, tuple[Manifest, str]]:
        """Who plays what, and in whose manifest it is named; a variant of the fallback is whole as it is there."""
        if variant is not None and variant not in self._variants.get(board, {}):
            return self.fallback._role_set(board, variant) if self.fallback is not None else {}
        fallback = self.fallback._role_set(board) if self.fallback is not None else {}
        return {**fallback, **{role: (self._home(name), name) for role, name in self._named(board, variant).items()}}

    def _named(self, board: BoardKind, variant: str | None) -> RoleSet:
        """What the manifest itself says of a role set: nothing of one that is only in the fallback."""
        if variant is None:
            return self._roles.get(board, {})
        role_set = self._variants.get(board, {}).get(variant)
        return {**self._roles.get(board, {}), **role_set} if role_set is not None else {}

    def _identity(self, name: str) -> tuple[str, str]:
        """Version and sha256 of an image of its own: what is said of it, which is checked when it is used, or found."""
        entry = self.entries[name]
        if entry.version is not None and entry.sha256 is not None:
            return entry.version, entry.sha256
        return self.image(name).version, self.image(name).sha256

    def _home(self, name: str) -> Manifest:
        return self if name in self.entries or self.fallback is None else self.fallback

    def _made(self, entry: Entry) -> Image:
        data = self._bytes(entry)
        digest = hashlib.sha256(data).hexdigest()
        if entry.sha256 not in (None, digest):
            raise Misuse(
                f"{self.path}: image {entry.name!r} has sha256 {digest}, the manifest says {entry.sha256}",
                hint="a recipe or file was changed: give it a new name or the new sha256",
            )
        version, details = filled_in_from_file(entry, data, self.path)
        return Image(entry.name, entry.board, version, data, entry.runs, details)

    def _bytes(self, entry: Entry) -> bytes:
        if entry.recipe is not None:
            return entry.recipe.build()
        assert entry.file is not None
        path = self.path.parent / entry.file
        try:
            content = read_user_file(path, MOST_IMAGE)
        except Misuse as error:
            raise Misuse(f"{self.path}: image {entry.name!r}: {error.message}", hint=error.hint) from error
        if is_container(content) or split_suffix(content, str(path))[1] is not None:
            raise Misuse(
                f"{self.path}: image {entry.name!r}: {path} is a DFU file, where a plain image is wanted",
                hint="`rig firmware add` unpacks it",
            )
        return content


def _beside(listing: Path, entry: Entry) -> Path | None:
    return None if entry.file is None else listing.parent / entry.file
