"""What a file brings to a device in DFU mode: pieces and their addresses, as dfu-util would take them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from rig.drivers.dfu_devices import DfuDevice
from rig.errors import Misuse
from rig.families.spark_core.firmware.image import LARGEST
from rig.families.spark_core.formats import flash as layout
from rig.files import read_user_file
from rig.firmware.manifest import Image
from rig.formats.dfu_suffix import DfuSuffix, split_suffix
from rig.formats.dfuse import memories, page_at
from rig.formats.dfuse_file import DfuseFile, Target, is_container


@dataclass(frozen=True, slots=True)
class Piece:
    """What is to lie at an address."""

    address: int
    image: Image

    @property
    def end(self) -> int:
        """One past its last address."""
        return self.address + len(self.image)


def load_file(path: Path, found: DfuDevice, address: int | None = None) -> tuple[Piece, ...]:
    """What is in a file as dfu-util takes it: raw, with a DFU suffix, or a DfuSe container with several elements.

    A raw one goes to `address` (None: where a Core's application lies); a container says itself where. Raises Misuse.
    """
    content = read_user_file(path, LARGEST)
    if is_container(content):
        file = DfuseFile.parse(content, str(path))
        _check_identity(path, file.suffix, found)
        return _pieces(path, file, found, address)
    data, suffix = split_suffix(content, str(path))
    _check_identity(path, suffix, found)
    if not data:
        raise Misuse(f"{path} is empty")
    return (Piece(layout.APP_ADDRESS if address is None else address, _image(path, data)),)


def _image(path: Path, data: bytes) -> Image:
    return Image(path.name, "spark-core", "unknown", data, "ok")


def _check_identity(path: Path, suffix: DfuSuffix | None, found: DfuDevice) -> None:
    vendor, product = (int(part, 16) for part in found.identity.split(":"))
    if suffix is not None and not suffix.fits(vendor, product):
        raise Misuse(f"{path} is for {suffix.vendor:04x}:{suffix.product:04x}, the device is {found.identity}")


def _pieces(path: Path, file: DfuseFile, found: DfuDevice, address: int | None) -> tuple[Piece, ...]:
    """A container's elements; those that share a page of the device as one, with the gap left blank."""
    for target in file.targets:
        _check_target(path, target, found)
    elements = sorted(file.elements, key=lambda element: element.address)
    if address not in (None, elements[0].address):
        raise Misuse(
            f"{path} is a DfuSe container for {elements[0].address:#010x}, not for {address:#010x}",
            hint="leave --address out",
        )
    pieces: list[Piece] = []
    for element in elements:
        before = pieces[-1] if pieces else None
        if before is not None and element.address < before.end:
            raise Misuse(f"{path}: two elements lie at {element.address:#010x}", hint="is it the file you mean?")
        if before is not None and element.address < sum(page_at(found.segments, before.end - 1)):
            gap = b"\xff" * (element.address - before.end)
            pieces[-1] = Piece(before.address, _image(path, before.image.data + gap + element.data))
        else:
            pieces.append(Piece(element.address, _image(path, element.data)))
    return tuple(pieces)


def _check_target(path: Path, target: Target, found: DfuDevice) -> None:
    """Raise Misuse where the device has no such alternate setting, or its memory does not hold an element."""
    alternate = next((entry for entry in found.alternates if entry.number == target.alternate), None)
    if alternate is None:
        raise Misuse(f"{path} is for alternate setting {target.alternate}, which {found.identity} has not")
    held = memories(alternate.segments)
    for element in target.elements:
        if not any(start <= element.address and element.end <= end for start, end in held):
            announced = ", ".join(f"{start:#010x} to {end:#010x}" for start, end in held) or "no memory"
            raise Misuse(
                f"{path}: {element.address:#010x} to {element.end:#010x} is outside of alternate setting "
                f"{target.alternate}",
                hint=f"it has {announced}",
            )
