"""What each image of a manifest is, looked at in its file: kind, chip, version, and the room it has."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from rig.errors import Misuse
from rig.firmware.entries import Entry
from rig.firmware.faults import room_of
from rig.firmware.identification import APPLICATION, identify
from rig.firmware.manifest import Manifest


@dataclass(frozen=True, slots=True)
class ImageInfo:
    """One image; `size` and `room` are bytes, `room` is None where it goes into no slot."""

    name: str
    board: str
    what: str
    version: str
    built_on: str | None
    size: int
    room: int | None
    sha256: str
    roles: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """As JSON, in which `idf` is what it is built on, whatever that is."""
        return {"idf" if name == "built_on" else name: value for name, value in asdict(self).items()}


def image_infos(known: Manifest) -> list[ImageInfo]:
    """The images that a manifest names itself, in its order, without those that cannot be read."""
    return [looked for entry in known.entries.values() if (looked := _look(known, entry)) is not None]


def _look(known: Manifest, entry: Entry) -> ImageInfo | None:
    try:
        image = known.image(entry.name)
    except Misuse:
        return None
    identified = identify(image.data)
    room = room_of(known, entry.board) if identified.what == APPLICATION else None
    roles = tuple(known.roles_of(entry.name))
    what = (str(identified), image.version, identified.built_on, identified.size)
    return ImageInfo(entry.name, entry.board, *what, room, image.sha256, roles)
