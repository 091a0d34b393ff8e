"""Update paths of an ESP32 as board sweeps cut them: over the serial port, and over HTTPS.

What no relay can hit is not here: an update that begins or chooses says nothing just before, and is calibrated one by
one in the suites.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from rig.campaign.strata import BoardPath, TrialAt, share_of_piece
from rig.campaign.trial import Trial
from rig.families.esp32.boards.board import Esp32
from rig.families.esp32.boards.golden import golden_set
from rig.families.esp32.campaign.preset_flash import NOTHING
from rig.families.esp32.campaign.trial import HttpsUpdate, SerialFlash
from rig.families.esp32.firmware.behaviour import EspBehaviour
from rig.families.esp32.firmware.details import behaviour_of
from rig.families.esp32.formats.otadata import SECTOR
from rig.firmware.manifest import Image
from rig.power.trigger import Aim

Roles = Mapping[str, Image]
#: What one sector's erase and one page's program take, by data sheets of what is on modules.
_ERASE_SECONDS, _PROGRAM_SECONDS, _PAGE = 0.045, 0.0007, 256
#: Before the stub writes the first byte it erases a block of 64 KiB, which takes 0.15 s, and a sector behind it.
_STUB_ERASES_SECONDS = 0.15 + _ERASE_SECONDS
#: How many pieces of a write are told apart.
_PIECES = 64
#: By the phase that is cut: what is told when it begins, and for how many seconds it lasts at least, at full speed.
_TOLD = {
    "chosen": ("chosen", 0.5),
    "first-boot": ("new-boot", _ERASE_SECONDS),
    "probation": ("new-app", 1.0),
    "confirm": ("new-online", _ERASE_SECONDS),
    "confirmed": ("new-confirmed", 0.2),
}


@dataclass(frozen=True)
class SerialBesideAnother(SerialFlash):
    """Write an application over the serial port with an older one in the other slot, which a board may fall back to."""

    other_slot: int = 0

    def prepare(self, board: Esp32) -> None:
        """Lay the older one."""
        with board.loader() as rom:
            rom.write(self.other_slot, self.roles["previous"].data)


#: What a trial over HTTPS has been told by the time that it is cut in a phase; before those, nothing that counts.
_HEARD_IN = {
    "choose": ("sent",),
    "chosen": ("sent", "chosen"),
    "first-boot": ("sent", "chosen", "new-boot"),
    "probation": ("sent", "chosen", "new-boot", "new-app"),
    "confirm": ("sent", "chosen", "new-boot", "new-app", "new-online"),
    "confirmed": ("sent", "chosen", "new-boot", "new-app", "new-online", "new-confirmed"),
}


def _serial(roles: Roles, aim: Aim) -> SerialBesideAnother:
    """In place of the application that runs."""
    table = golden_set(roles).table
    first, second = table.slot(0), table.slot(1)
    assert first is not None, "a golden set has slots"
    assert second is not None, "a golden set has slots"
    return SerialBesideAnother(roles["new"], first.offset, aim, {"previous": roles["previous"]}, second.offset)


def _serial_erase(position: float, board: Esp32, roles: Roles) -> SerialBesideAnother:
    """The loader's stub acknowledges the first block, and erases for it."""
    delay = position * _STUB_ERASES_SECONDS * board.timing.scale
    return _serial(roles, Aim("program", share=0.0, delay_ms=1000 * delay))


def _serial_program(position: float, board: Esp32, roles: Roles) -> SerialBesideAnother:
    """Blocks are acknowledged before they are written: over a quick line all of them, and then flash sets the rate."""
    share, _ = share_of_piece(position, _PIECES)
    pages = len(roles["new"]) / _PAGE
    delay = (_STUB_ERASES_SECONDS + position * pages * _PROGRAM_SECONDS) * board.timing.scale
    return _serial(roles, Aim("program", share, 1000 * delay))


def _download(position: float, board: Esp32, roles: Roles) -> HttpsUpdate:
    """At the rate at which its flash takes an image: what the server has sent may be far ahead of that."""
    seconds = len(roles["new"]) * (_ERASE_SECONDS / SECTOR + _PROGRAM_SECONDS / _PAGE)
    delay = position * seconds * board.timing.scale
    return HttpsUpdate.to(roles["new"], Aim("begin", delay_ms=1000 * delay), roles)


def _told(phase: str) -> TrialAt:
    """A phase that begins when the console says so."""
    begins, seconds = _TOLD[phase]

    def trial(position: float, board: Esp32, roles: Roles) -> HttpsUpdate:
        delay = position * seconds * board.timing.scale
        return HttpsUpdate.to(roles["new"], Aim(begins, delay_ms=1000 * delay), roles)

    return trial


class Esp32BoardSweeps:
    """As rig.campaign.strata asks for."""

    paths: Mapping[str, BoardPath] = {
        "serial": BoardPath(
            "a new application over the serial port",
            {"erase": _serial_erase, "program": _serial_program},
            {"boot": "wired"},
        ),
        "https": BoardPath(
            "an update over HTTPS, until the new application is confirmed",
            {"download": _download, **{phase: _told(phase) for phase in _TOLD}},
            {"boot": "wired", "bridge": "always"},
        ),
    }

    def path_of(self, trial: Trial[Any]) -> str | None:
        """A board over the serial port has another application beside the one that is written."""
        if isinstance(trial, SerialBesideAnother):
            return "serial"
        is_plain = isinstance(trial, HttpsUpdate) and trial.preset == NOTHING and not trial.faults
        return "https" if is_plain else None

    def reader(self, path: str, roles: Roles, phase: str) -> Trial[Any]:
        """A trial of a path that is not to be made: over HTTPS it was told all that comes before a phase."""
        nowhere = Aim("nowhere")
        if path == "serial":
            return _serial(roles, nowhere)
        update = HttpsUpdate.to(roles["new"], nowhere, roles)
        update.phases[:] = _HEARD_IN.get(phase, ())
        return update

    def choices(self, _tags: Mapping[str, str], roles: Roles) -> dict[str, str]:
        """How the application that takes the update was built, where the manifest tells."""
        known = behaviour_of(roles["old"]) or EspBehaviour()
        return {"client": known.client or "none", "rollback": "yes" if known.rollback else "no", "idf": known.idf}
