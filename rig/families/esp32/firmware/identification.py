"""What the file of an image tells of itself: applications say version and ESP-IDF, later second stages say it too."""

from __future__ import annotations

from rig.errors import Misuse
from rig.families.esp32.firmware.file_kinds import is_table_file
from rig.families.esp32.formats import image as esp_image
from rig.families.esp32.formats.chip import revision_name
from rig.families.esp32.formats.header import UNSET_REVISIONS, Header
from rig.families.esp32.formats.idf import Idf
from rig.families.esp32.formats.kinds import chip_of, is_image, is_second_stage
from rig.families.esp32.formats.second_stage import SecondStage
from rig.firmware.identification import APPLICATION, Identification

#: What a file is, beside an application.
SECOND_STAGE, TABLE = "second stage", "partition table"
#: The kind of board, and its chip as people write it.
KIND, CHIP = "esp32", "ESP32"


def identify(data: bytes) -> Identification | None:
    """What `data` tells; None for what is no image and no partition table."""
    if is_image(data):
        return _second_stage(data) if is_second_stage(data) else _application(data)
    if is_table_file(data):
        return Identification(TABLE, len(data), board=KIND, chip=CHIP)
    return None


def _application(data: bytes) -> Identification:
    said = esp_image.read_description(lambda offset, length: data[offset : offset + length], 0)
    idf = _release(said.idf) if said is not None else None
    return Identification(
        APPLICATION,
        len(data),
        board=_board(data),
        chip=chip_of(data),
        version=_printable(said.version) if said is not None else None,
        built_on=idf,
        facts=(*_built_on(idf), *_revision(data)),
    )


def _second_stage(data: bytes) -> Identification:
    stage = SecondStage.read(lambda offset, length: data[offset : offset + length], 0)
    assert stage is not None, "an image begins here"
    idf = _release(stage.version or "")
    size = stage.flash.size >> 20
    room = (f"{size} MB of flash",) if size else ()
    return Identification(
        SECOND_STAGE,
        len(data),
        board=_board(data),
        chip=chip_of(data),
        version=idf,
        built_on=idf,
        facts=(*_built_on(idf), *room, *_revision(data)),
    )


def _board(data: bytes) -> str | None:
    return KIND if chip_of(data) == CHIP else None


def _built_on(idf: str | None) -> tuple[str, ...]:
    return (f"ESP-IDF {idf}",) if idf is not None else ()


def _revision(data: bytes) -> tuple[str, ...]:
    """The oldest chip it starts on."""
    lowest = Header.unpack(data).min_revision
    return () if lowest in UNSET_REVISIONS else (f"revision {revision_name(lowest)} or later",)


def _release(text: str) -> str | None:
    """A release of ESP-IDF; None for a build of which nobody can tell which one it is."""
    try:
        Idf.parse(text)
    except Misuse:
        return None
    return text.removeprefix("v")


def _printable(text: str) -> str | None:
    """A text that may stand in a manifest."""
    return text if text and text.isascii() and text.isprintable() else None
