"""What a family knows of images for its boards: the contract's member `images`, and how the rooms below ask it.

A family's rules are a class of its own on `ImageRules`; what it does not say is as it is here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar, cast

from pydantic import BaseModel, ConfigDict

from rig import registry
from rig.errors import Misuse
from rig.formats.dfu_suffix import ANY, DfuSuffix, split_suffix

if TYPE_CHECKING:
    from rig.firmware.faults import Fault
    from rig.firmware.file_kinds import FileKind
    from rig.firmware.identification import Identification
    from rig.firmware.manifest import Image
    from rig.firmware.recipe import AnyRecipe
    from rig.firmware.server_trust import ServerTrust


class Details(BaseModel):
    """What entries of the manifest say of one kind's images beside what every entry says: here nothing."""

    model_config = ConfigDict(extra="forbid", frozen=True)


@dataclass(frozen=True, slots=True)
class Bootloaders:
    """Bootloaders that a manifest may list: the names of their generations, and the bytes that one may have."""

    generations: tuple[str, ...] = ()
    room: int = 0


@dataclass(frozen=True, slots=True)
class ServerField:
    """The field of an entry that says which servers its firmware asks, and what is to be in it, in words."""

    name: str
    holds: str


@dataclass(frozen=True, slots=True)
class Example:
    """What a first manifest says of an image: how its name begins, lines with its version by part, and lines behind."""

    prefix: str
    version: Mapping[str, str]
    more: str = ""


D = TypeVar("D", bound=Details)


class ImageRules(Generic[D]):
    """Of one kind of board."""

    #: The kind.
    kind: str
    #: More fields that an entry of the manifest may have.
    details: type[D]
    #: Parts that only its images play, and those that a board is brought back to before each test.
    roles: frozenset[str] = frozenset()
    known_state: frozenset[str] = frozenset({"old"})
    #: How synthetic images are made, beside what makes any.
    recipes: tuple[type[AnyRecipe], ...] = ()
    bootloaders = Bootloaders()
    #: None where firmware asks no server that shows certificates.
    server_field: ServerField | None = None

    @property
    def example(self) -> Example:
        """For `rig firmware init`."""
        return Example(self.kind, {})

    def identify(self, data: bytes) -> Identification | None:
        """What a file tells of itself; None for one that is not of this family."""
        return None

    def kind_of(self, data: bytes) -> FileKind | None:
        """What a file is that goes into flash, or that builds leave beside one; None for what others may know."""
        return None

    def fill_in(self, details: D, identified: Identification, source: str) -> D:
        """The details with all that the file tells and they do not say. Raises Misuse, which begins with `source`."""
        return details

    def room(self, roles: Mapping[str, Image]) -> int | None:
        """Bytes that an application may have in this role set; None where nobody can tell."""
        return None

    def fault_of_file(self, image: Image, identified: Identification, roles: set[str]) -> Fault | None:
        """What is wrong with an image that plays these parts: a board would not take it, or not start it."""
        return None

    def fault_of_servers(self, image: Image) -> Fault | None:
        """What is wrong with whom it asks for updates, and whom it trusts there."""
        return None

    def faults_of_roles(self, roles: Mapping[str, Image], where: str) -> Iterator[Fault]:
        """What is wrong with images that are each right, and do not fit together; `where` is the role set's name."""
        return iter(())

    def release(self, content: bytes, name: str) -> bytes:
        """An application as a board runs it, of a file as it is published. Raises Misuse for what none could run."""
        return self.for_this_board(*split_suffix(content, name), name)

    def server_trust(self, details: D) -> ServerTrust | None:
        """Whom firmware asks, and how it looks at them; None where it asks nobody."""
        return None

    def for_this_board(
        self, data: bytes, suffix: DfuSuffix | None, name: str, vendor: int = ANY, product: int = ANY
    ) -> bytes:
        """The data, unless its DFU suffix names another device, or it is empty. Raises Misuse."""
        if suffix is not None and not suffix.fits(vendor, product):
            raise Misuse(f"{name} is for a device {suffix.vendor:04x}:{suffix.product:04x}, not for a {self.kind}")
        if not data:
            raise Misuse(f"{name} is empty")
        return data


def rules_of(kind: str) -> ImageRules[Any]:
    """What is known of images for a kind of board. Raises Misuse for one that nobody knows."""
    return cast(ImageRules[Any], registry.family(kind).images)


def all_rules() -> Iterator[ImageRules[Any]]:
    """Those of every kind that is known, in order."""
    return map(rules_of, registry.kinds())
