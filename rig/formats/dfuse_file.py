"""ST's container for DfuSe (UM0391): targets by alternate setting, their elements by address, a suffix with a CRC.

dfu-util takes such files, and dfuse-pack makes them. An element says at which address it belongs.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from rig.errors import Misuse
from rig.formats.dfu_suffix import SIZE, DfuSuffix, add_suffix, split_suffix
from rig.formats.dfuse import ADDRESS_SPACE

_SIGNATURE, _TARGET_SIGNATURE, _VERSION = b"DfuSe", b"Target", 1
#: Signature, version, length of the file (dfuse-pack counts the suffix, others do not), number of targets.
_PREFIX = struct.Struct("<5sBIB")
#: Signature, alternate setting, whether it has a name, the name, length of the elements, their number.
_TARGET = struct.Struct("<6sBI255sII")
_ELEMENT = struct.Struct("<II")
_DAMAGED = "the file is damaged"


@dataclass(frozen=True, slots=True)
class Element:
    """Bytes, and the address they belong at."""

    address: int
    data: bytes

    @property
    def end(self) -> int:
        """One past its last address."""
        return self.address + len(self.data)


@dataclass(frozen=True, slots=True)
class Target:
    """What is for one alternate setting; a name of at most 255 bytes in Latin-1, "" for none."""

    alternate: int
    name: str
    elements: tuple[Element, ...]

    def pack(self) -> bytes:
        """As it lies in the file."""
        content = b"".join(_ELEMENT.pack(e.address, len(e.data)) + e.data for e in self.elements)
        name = self.name.encode("latin-1")
        size, count = len(content), len(self.elements)
        return _TARGET.pack(_TARGET_SIGNATURE, self.alternate, bool(name), name, size, count) + content


@dataclass(frozen=True, slots=True)
class DfuseFile:
    """A container: at least one target, each with at least one element that is not empty."""

    targets: tuple[Target, ...]
    suffix: DfuSuffix

    @property
    def elements(self) -> tuple[Element, ...]:
        """Those of every target."""
        return tuple(element for target in self.targets for element in target.elements)

    def pack(self) -> bytes:
        """The whole file."""
        content = b"".join(target.pack() for target in self.targets)
        prefix = _PREFIX.pack(_SIGNATURE, _VERSION, _PREFIX.size + len(content) + SIZE, len(self.targets))
        return add_suffix(prefix + content, self.suffix)

    @classmethod
    def parse(cls, content: bytes, name: str) -> DfuseFile:
        """Read a container; `name` is how people know it. Raises Misuse for one that is damaged or cut short."""
        body, suffix = split_suffix(content, name)
        if suffix is None:
            raise Misuse(f"{name}: a DfuSe container without a DFU suffix", hint="the file is cut short")
        parts = _Parts(body, name)
        _, version, size, count = parts.take(_PREFIX)
        if version != _VERSION:
            raise Misuse(f"{name}: a DfuSe container of version {version}, not {_VERSION}")
        if size not in (len(body), len(content)):
            raise Misuse(f"{name}: the DfuSe container says it has {size:,} bytes, not {len(body):,}", hint=_DAMAGED)
        targets = tuple(parts.target() for _ in range(count))
        if not targets or parts.left:
            what = f"{parts.left:,} bytes follow its last target" if targets else "it holds nothing"
            raise Misuse(f"{name}: a DfuSe container, but {what}", hint=_DAMAGED)
        return cls(targets, suffix)


class _Parts:
    """What is left of a container's body."""

    def __init__(self, body: bytes, name: str):
        self._body, self._name, self._at = body, name, 0

    @property
    def left(self) -> int:
        return len(self._body) - self._at

    def take(self, form: struct.Struct) -> tuple[Any, ...]:
        """The next fields. Raises Misuse."""
        return form.unpack(self._bytes(form.size))

    def target(self) -> Target:
        signature, alternate, named, name, size, count = self.take(_TARGET)
        if signature != _TARGET_SIGNATURE:
            raise Misuse(f"{self._name}: no target where the DfuSe container says there is one", hint=_DAMAGED)
        before = self._at
        elements = tuple(self._elements(count))
        if not elements or self._at - before != size:
            raise Misuse(f"{self._name}: elements of a target do not fill its {size:,} bytes", hint=_DAMAGED)
        text = name.split(b"\0")[0].decode("latin-1") if named else ""
        return Target(alternate, text, elements)

    def _elements(self, count: int) -> Iterator[Element]:
        for _ in range(count):
            address, size = self.take(_ELEMENT)
            if not size or address + size > ADDRESS_SPACE:
                raise Misuse(f"{self._name}: an element of {size:,} bytes at {address:#010x}", hint=_DAMAGED)
            yield Element(address, self._bytes(size))

    def _bytes(self, size: int) -> bytes:
        if size > self.left:
            raise Misuse(f"{self._name}: {size:,} bytes are to follow, {self.left:,} do", hint=_DAMAGED)
        self._at += size
        return self._body[self._at - size : self._at]


def is_container(content: bytes) -> bool:
    """Whether a file begins as a container does."""
    return content.startswith(_SIGNATURE)


def plain_image(content: bytes, name: str) -> tuple[bytes, DfuSuffix | None, int | None]:
    """The one image in a file: raw, with a DFU suffix, or in a DfuSe container, which also says where it belongs.

    Raises Misuse for a file that is damaged, and for a container with several images.
    """
    if not is_container(content):
        return *split_suffix(content, name), None
    found = DfuseFile.parse(content, name)
    if len(found.elements) > 1:
        raise Misuse(f"{name} is a DfuSe container with {len(found.elements)} images, where one is wanted",
                     hint="`rig dfu write` takes it whole")  # fmt: skip
    return found.elements[0].data, found.suffix, found.elements[0].address
