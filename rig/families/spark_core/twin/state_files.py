"""What a twin of a Core keeps beside its flash between two processes: its radio's EEPROM, what it first booted by."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from rig.errors import Misuse
from rig.families.spark_core.formats import flash as layout
from rig.families.spark_core.twin.memory import CoreMemory
from rig.families.spark_core.twin.radio import Eeprom
from rig.state_folder import keep, kept


def boots_as_first_seen(note: Path, memory: CoreMemory) -> bool:
    """Whether the bootloader's pages are what they were when this board was first powered; noted then.

    Flash files need not hold a bootloader, but one that somebody wrote over stays lost.
    """
    digest = hashlib.sha256(memory.internal.read(layout.INTERNAL_BASE, layout.BOOTLOADER_SIZE)).hexdigest()
    first = kept(note)
    if first is None:
        keep(note, first := digest.encode())
    return first == digest.encode()


class EepromFile:
    """The radio's EEPROM in a file that is written anew whenever it changes."""

    def __init__(self, path: Path, mac: str):
        """`mac` is what a radio whose file does not say is shipped with."""
        self._path = path
        self.eeprom = Eeprom(mac=mac)
        contents = kept(path)
        if contents is not None:
            try:
                self.eeprom = TypeAdapter(Eeprom).validate_python({"mac": mac, **json.loads(contents)})
            except (ValueError, TypeError) as error:
                raise Misuse(f"{path}: {_first(error)}", hint="remove it to begin with a radio as shipped") from error

    def write(self) -> None:
        """Store it as it is now."""
        keep(self._path, json.dumps(asdict(self.eeprom)).encode())


def _first(error: Exception) -> str:
    if not isinstance(error, ValidationError):
        return str(error)
    found = error.errors()[0]
    return f"{'.'.join(str(part) for part in found['loc'])}: {found['msg']}"
