"""Where a cut fell in an update over the air: what flash was left with, and how far the cloud had come by then."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace

from rig.families.spark_core.formats import flash as layout
from rig.families.spark_core.formats.flash import SystemFlags
from rig.families.spark_core.power.copy_landing import KNOWN_CODES, Copy
from rig.power.landing import OUTSIDE, Landing


@dataclass(frozen=True, slots=True)
class Download:
    """What an update over the air was doing: flash before it, what was sent, and which events the cloud had told.

    `sent` is the image in whole chunks. Phases are hello, begin, download-erase, download and done, and then those of
    the bootloader's copy. A Core writes its flags page at its Hello, at UpdateBegin and at UpdateDone: which of them a
    damaged page was left by tell the slot and the cloud.
    """

    area_before: bytes
    flags_before: bytes
    backup_before: bytes
    slot_before: bytes
    sent: bytes
    events: Collection[str]

    def locate(self, area: bytes, flags: bytes, backup: bytes, slot: bytes) -> Landing:
        """Read the landing off application area, flags, backup slot and the slot of updates over the air."""
        now = SystemFlags.unpack(flags)
        whole = slot[: len(self.sent)] == self.sent
        if area != self.area_before or (now.ota in (layout.OTA_READY, layout.OTA_COPYING) and whole):
            return self._copying(area, flags, backup, slot)
        if now.ota not in KNOWN_CODES:
            return self._in_a_window(flags, backup, slot, whole)
        if slot == self.slot_before:
            return self._before_the_slot(flags)
        if whole:
            return Landing("download", None, "inferred", "all chunks are written, the flags say nothing of them")
        return self._in_the_slot(slot)

    def _copying(self, area: bytes, flags: bytes, backup: bytes, slot: bytes) -> Landing:
        ready = SystemFlags.unpack(self.flags_before)
        ready = replace(ready, ota=layout.OTA_READY, flashed=0)
        copy = Copy(self.area_before, ready.pack(), self.backup_before, slot[: layout.APP_SIZE])
        return copy.locate(area, flags, backup)

    def _in_a_window(self, flags: bytes, backup: bytes, slot: bytes, whole: bool) -> Landing:
        """The flags page is blank or half written, the application is as before."""
        if slot == self.slot_before:
            phase = "begin" if "begin-sent" in self.events else "hello"
        elif whole and backup == self.area_before != self.backup_before:
            phase = "mark"
        elif whole:
            phase = "done"
        else:
            return Landing(OUTSIDE, None, "inferred", "a damaged flags page in the middle of a download")
        return Landing(phase, layout.FLAGS_ADDRESS, "read-back", f"the flags page reads {flags.hex()}")

    def _before_the_slot(self, flags: bytes) -> Landing:
        if flags != self.flags_before and "hello-sent" in self.events:
            phase = "begin-tail" if "begin-sent" in self.events else "hello-tail"
            return Landing(phase, layout.FLAGS_ADDRESS, "read-back", f"0x5000 stands, the page reads {flags.hex()}")
        return Landing(OUTSIDE, None, "read-back", "before anything was erased")

    def _in_the_slot(self, slot: bytes) -> Landing:
        """Sectors are erased in order, then chunks are written in order."""
        blank = b"\xff" * layout.EXTERNAL_SECTOR
        sectors = [slot[at : at + layout.EXTERNAL_SECTOR] for at in range(0, len(slot), layout.EXTERNAL_SECTOR)]
        old = [self.slot_before[at : at + layout.EXTERNAL_SECTOR] for at in range(0, len(slot), layout.EXTERNAL_SECTOR)]
        erased = next((n for n, now in enumerate(sectors) if now != blank), len(sectors))
        remains = any(now == then != blank for now, then in zip(sectors, old, strict=True))
        where = layout.OTA_ADDRESS + erased * layout.EXTERNAL_SECTOR
        text = f"{erased} of {len(sectors)} sectors are blank"
        if erased == -(-len(self.sent) // layout.EXTERNAL_SECTOR) and sectors[erased:] == old[erased:]:
            return Landing("download-erase", where, "inferred", f"{text}: all that the image needs, which may be all")
        if remains and (erased > 0 or slot[:2] != self.sent[:2]):
            return Landing("download-erase", where, "read-back", text)
        if erased == len(sectors):
            return Landing("download", layout.OTA_ADDRESS, "inferred", "the slot is blank, nothing is written")
        written = next((at for at in range(0, len(self.sent), 2) if slot[at : at + 2] != self.sent[at : at + 2]), 0)
        where = layout.OTA_ADDRESS + written
        return Landing("download", where, "read-back", f"{written} of {len(self.sent)} bytes are written")
