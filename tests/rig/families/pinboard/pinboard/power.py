"""Where a cut fell in an update, told by the flash that it left."""

from __future__ import annotations

from dataclasses import dataclass

from pinboard.formats import APP, FLAG, REQUEST, SECTOR, STAGE, sectors
from rig.power.landing import OUTSIDE, Landing

BLANK, FORGOTTEN = b"\xff" * len(REQUEST), bytes(len(REQUEST))


@dataclass(frozen=True, slots=True)
class Update:
    """An update from the known state: what was in the application area, and what was to get there.

    Phases, in order: download (a sector at a time is erased and written beside the application), commit (the request to
    copy is written), forget (the bootloader forgets it), copy.
    """

    before: bytes
    data: bytes

    def locate(self, app: bytes, flag: bytes, stage: bytes) -> Landing:
        """Read the landing off the application area, the sector with the request, and what was downloaded."""
        word = flag[: len(REQUEST)]
        if word == BLANK:
            return self._requested_nothing(flag, stage)
        if word == REQUEST and app == self.before:
            return Landing(OUTSIDE, None, "read-back", "asked to copy, and nothing else was done")
        if word not in (REQUEST, FORGOTTEN):
            asking = all(now & bits == bits for now, bits in zip(word, REQUEST, strict=True))
            phase = "commit" if asking else "forget"
            return Landing(phase, FLAG, "read-back", f"the request reads {word.hex()}")
        return self._copied(app)

    def _requested_nothing(self, flag: bytes, stage: bytes) -> Landing:
        if flag[len(REQUEST) :] != b"\xff" * len(flag[len(REQUEST) :]):
            return Landing("commit", FLAG, "read-back", "the length of what is to be copied is written")
        written = _same(stage, self.data)
        if written == len(self.data):
            return Landing(OUTSIDE, None, "read-back", "downloaded, and nothing is asked for")
        if stage == b"\xff" * len(stage):
            return Landing(OUTSIDE, None, "read-back", "nothing was written")
        return Landing("download", STAGE + written, _known(written), f"{written} of {len(self.data)} bytes are there")

    def _copied(self, app: bytes) -> Landing:
        done = _same(app, self.data) // SECTOR
        if done == len(self.data) // SECTOR and app[: len(self.data)] == self.data:
            return Landing(OUTSIDE, None, "read-back", "everything is copied")
        at, how = done * SECTOR, "read-back"
        if app[at:] == self.before[at:]:
            how = "inferred"  # between two sectors, or in an erase that had not begun to show
        return Landing("copy", APP + at, how, f"{done} of {sectors(len(self.data))} sectors are copied")


def _same(now: bytes, wanted: bytes) -> int:
    """How many bytes are as they are wanted, from the first on."""
    return next((at for at, (one, other) in enumerate(zip(now, wanted, strict=False)) if one != other), len(wanted))


def _known(written: int) -> str:
    return "read-back" if written % SECTOR else "inferred"
