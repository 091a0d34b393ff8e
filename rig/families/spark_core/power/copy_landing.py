"""Where a cut fell in a copy by the bootloader: backup, mark, erase, program or commit, told by what it left."""

from __future__ import annotations

from dataclasses import dataclass

from rig.drivers.dfu_host import EraseOrder
from rig.families.spark_core.formats import flash as layout
from rig.families.spark_core.formats.flash import SystemFlags
from rig.families.spark_core.power.dfu_landing import DfuWrite
from rig.power.landing import OUTSIDE, Landing

KNOWN_CODES = (layout.OTA_RUN, layout.OTA_READY, layout.OTA_COPYING)


@dataclass(frozen=True, slots=True)
class Copy:
    """What a copy was doing: application area, flags and backup slot before, and what it was to bring in.

    `data` is as long as the application area: bootloaders copy it whole, whatever lies behind the image.
    """

    before: bytes
    flags_before: bytes
    backup_before: bytes
    data: bytes

    def locate(self, area: bytes, flags: bytes, backup: bytes) -> Landing:
        """Read the landing off the application area, the first bytes of the flags page, and the backup slot."""
        now, then = SystemFlags.unpack(flags), SystemFlags.unpack(self.flags_before)
        if now.ota not in KNOWN_CODES:
            phase = "commit" if area == self.data else "mark"
            return Landing(phase, layout.FLAGS_ADDRESS, "read-back", f"the flags page reads {flags.hex()}")
        if area == self.data:
            return self._complete(now, then)
        if area == self.before:
            return self._not_begun(now, then, backup)
        # From here on the application area tells, as it does of a DFU update with all pages erased first.
        return DfuWrite(self.before, flags, self.data, EraseOrder.ALL_FIRST).locate(area, flags)

    def _complete(self, now: SystemFlags, then: SystemFlags) -> Landing:
        if now.ota == layout.OTA_RUN and now.flashed == layout.WORD_BLANK != then.flashed:
            return Landing("commit-tail", layout.FLAGS_ADDRESS, "read-back", "0x5000 stands, what follows does not")
        finished = (now.nvmem, now.flashed) != (then.nvmem, then.flashed) or now.ota != then.ota
        if now.ota == layout.OTA_RUN and finished:
            return Landing(OUTSIDE, None, "read-back", "the copy is complete")
        return Landing("commit", layout.FLAGS_ADDRESS, "inferred", "everything is written, the flags are not touched")

    def _not_begun(self, now: SystemFlags, then: SystemFlags, backup: bytes) -> Landing:
        """The application is as before: the backup tells, where one is taken."""
        if now.ota == layout.OTA_COPYING != then.ota:
            return Landing("erase", layout.APP_ADDRESS, "inferred", "marked as under way, nothing erased yet")
        if backup == self.before == self.backup_before:
            return Landing("backup", None, "inferred", "the backup was equal before")
        if backup == self.backup_before:
            return Landing(OUTSIDE, None, "read-back", "before anything was erased")
        if backup == self.before:
            return Landing("backup", None, "inferred", "the backup is complete")
        written = next(at for at in range(0, len(backup), 2) if backup[at : at + 2] != self.before[at : at + 2])
        if written > 0:
            return Landing("backup", layout.BACKUP_ADDRESS + written, "read-back", f"{written} bytes are backed up")
        used = next((at for at in range(len(backup)) if backup[at] != 0xFF), None)
        if used is None:
            return Landing("backup", None, "inferred", "the backup slot is blank")
        reached = layout.BACKUP_ADDRESS + used - used % layout.EXTERNAL_SECTOR
        return Landing("backup", reached, "read-back", f"the backup slot is blank up to {reached:#x}")
