"""What a file is that somebody means for a board: by its contents, and where it belongs."""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass

from rig.firmware.image_rules import all_rules


@dataclass(frozen=True, slots=True)
class FileKind:
    """What it is, in words that go on `it is …`; what to do with it, and at which flash offset it belongs, if any."""

    what: str
    hint: str = ""
    belongs: int | None = None
    #: Whether no place in flash is right for it.
    nowhere: bool = False

    def __str__(self) -> str:
        return f"{self.what}: {self.hint}" if self.hint else self.what


def kind_of(data: bytes) -> FileKind | None:
    """What `data` is, by the families or as any computer knows it; None for what nobody knows."""
    if not data:
        return FileKind("empty")
    if data == data[:1] * len(data):
        return FileKind(f"nothing but {data[0]:02X}")
    for find in (*(rules.kind_of for rules in all_rules()), _wrapped, _text):
        if (found := find(data)) is not None:
            return found
    return None


_UNPACK = "unpack it first"
#: How a file begins, what it is then, and what to do.
_WRAPPINGS = (
    (b"\x1f\x8b", "a gzip archive", _UNPACK),
    (b"PK\x03\x04", "a zip archive", _UNPACK),
    (b"\xfd7zXZ\0", "an xz archive", _UNPACK),
    (b"BZh", "a bzip2 archive", _UNPACK),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive", _UNPACK),
    (b"\x28\xb5\x2f\xfd", "a zstd archive", _UNPACK),
    (b"UF2\n\x57\x51\x5d\x9e", "a UF2 file", "make a binary of it"),
    (b"DfuSe", "a DfuSe file", "take the binary it was made from"),
    (b"<!DOCTYPE", "a web page", "the download went wrong"),
    (b"<html", "a web page", "the download went wrong"),
)
_HEX_LINE = re.compile(rb":[0-9A-Fa-f]{10,}\r?\n|:[0-9A-Fa-f]{10,}$")
_SREC_LINE = re.compile(rb"S[0-9][0-9A-Fa-f]{8,}\r?\n")


def _wrapped(data: bytes) -> FileKind | None:
    for begins, what, hint in _WRAPPINGS:
        if data[: len(begins)].lower() == begins.lower():
            return FileKind(what, hint, nowhere=hint != _UNPACK)
    if data[257:262] == b"ustar":
        return FileKind("a tar archive", _UNPACK)
    if _HEX_LINE.match(data):
        return FileKind("an Intel HEX file", "make a binary of it", nowhere=True)
    if _SREC_LINE.match(data):
        return FileKind("a Motorola S-record file", "make a binary of it", nowhere=True)
    return None


def is_text(data: bytes) -> bool:
    """Whether it begins as a text file does."""
    head = data[:4096]
    if any(byte < 9 or 13 < byte < 32 or byte == 127 for byte in head):
        return False
    try:
        codecs.getincrementaldecoder("utf-8")().decode(head, final=len(data) == len(head))
    except UnicodeDecodeError:
        return False
    return True


def _text(data: bytes) -> FileKind | None:
    return FileKind("a text file") if is_text(data) else None
