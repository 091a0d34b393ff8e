"""Planted faults of an ESP32 on a rack for test_mutants: its console, serial path, ladder and landings."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import replace

import serial.rfc2217

from rig.drivers.console import ConsoleRecorder
from rig.drivers.console_link import Rfc2217Link
from rig.errors import DeviceFault, LabFault
from rig.families.esp32.boards.board import Esp32
from rig.families.esp32.boards.boot_log import ALIVE, DOWNLOAD, BootLog
from rig.families.esp32.boards.golden import GoldenSet
from rig.families.esp32.boards.timing import Esp32Timing
from rig.families.esp32.campaign.trial import HttpsUpdate
from rig.families.esp32.drivers.loader import RomLoader
from rig.families.esp32.formats.otadata import read_records
from rig.families.esp32.power import landing as esp32_landing
from rig.families.esp32.power.landing import SETTLED, Download, Probation, SerialWrite
from rig.families.esp32.recovery.rescue import Esp32Rescue
from rig.power.landing import Landing
from rig.recovery import ladder
from tests.rig.families.esp32.lab import checks_rack as of_rack
from tests.rig.families.esp32.power import checks_landing as of_landing

REAL_OPEN, REAL_PARTS = Rfc2217Link.__init__, GoldenSet.parts
REAL_DOWNLOAD, REAL_PROBATION, REAL_SERIAL = Download.locate, Probation.locate, SerialWrite.locate


def _throw_into_download_mode(self, host, port, speed):
    """A console that leaves DTR and RTS as a host does that means to reset the board."""
    REAL_OPEN(self, host, port, speed)
    self._port.dtr = False
    self._port.dtr = True
    self._port.rts = False


def _dtr_first(self, host, port, _speed):
    """As pyserial opens, and the other line never comes."""
    self._port = serial.rfc2217.Serial(None, timeout=0.05)
    self._port.rts = False
    self._port.port = f"rfc2217://{host}:{port}?ign_set_control"
    self._port.open()


def _write_without_comparing(self, address, data):
    for _done, send in self._blocks(address, data):
        send()


def _download_to_the_end(self, records, slot):
    found = REAL_DOWNLOAD(self, records, slot)
    return replace(found, phase="download") if found.phase == "end" else found


MUTANTS = {
    "esp32 console: it asserts one line after the other": (
        lambda m: m.setattr(Rfc2217Link, "__init__", _throw_into_download_mode),
        of_rack.a_console_disturbs_nothing,
    ),
    "esp32 console: DTR is asserted when it opens": (
        lambda m: m.setattr(Rfc2217Link, "__init__", _dtr_first),
        of_rack.a_console_disturbs_nothing,
    ),
    "esp32 console: it keeps the port while that is lent": (
        lambda m: m.setattr(ConsoleRecorder, "released", lambda self: nullcontext()),
        of_rack.a_console_that_is_lent_lets_the_port_go,
    ),
    "esp32 serial path: what was written is not read back": (
        lambda m: m.setattr(RomLoader, "write", _write_without_comparing),
        of_rack.what_did_not_reach_flash_is_noticed,
    ),
    "esp32 serial path: the application is written first": (
        lambda m: m.setattr(GoldenSet, "parts", lambda self: reversed(list(REAL_PARTS(self)))),
        of_rack.the_application_of_a_golden_set_comes_last,
    ),
    "esp32 ladder: a silent board is alive": (
        lambda m: m.setattr(Esp32Rescue, "alive", (*ALIVE, None)),
        of_rack.a_silent_esp32_is_dead,
    ),
    "esp32: what it said counts without power": (
        lambda m: m.delattr(Esp32, "power_off"),
        of_rack.an_esp32_without_power_shows_nothing_of_what_it_said_before,
    ),
    "esp32 ladder: a board in download mode is alive": (
        lambda m: m.setattr(Esp32Rescue, "alive", (*ALIVE, DOWNLOAD)),
        of_rack.an_esp32_that_waits_for_a_download_is_not_alive,
    ),
    "esp32 ladder: the first sign is the last": (
        lambda m: m.setattr(Esp32Rescue, "settle", lambda self, seconds, _started: self._board.observe(seconds)),
        of_rack.an_application_that_crashes_at_once_is_not_alive,
    ),
    "esp32 ladder: an application that restarts has shown itself": (
        lambda m: m.setattr(Esp32Rescue, "_goes_on", lambda self: True),
        of_rack.an_application_that_restarts_for_ever_is_not_alive,
    ),
    "esp32 ladder: it does not wait for the watchdog": (
        lambda m: m.setattr(Esp32Timing, "undisturbed", 2.0),
        of_rack.an_application_that_restarts_for_ever_is_not_alive,
    ),
    "esp32 ladder: who is in the network stays": (
        lambda m: m.setattr(Esp32Timing, "settles", 0.0),
        of_rack.an_application_that_restarts_for_ever_is_not_alive,
    ),
    "ladder: a loader that does not answer is the lab's": (
        lambda m: m.setattr(ladder, "NoAnswer", DeviceFault),
        of_rack.a_board_that_no_longer_answers_its_loader_is_dead,
    ),
    "ladder: a port that is gone is the board's": (
        lambda m: m.setattr(ladder, "NoAnswer", LabFault),
        of_rack.a_serial_port_that_is_gone_makes_no_board_dead,
    ),
    "esp32: silence after power-on is the firmware's": (
        lambda m: m.setattr(BootLog, "starts", lambda self: 1),
        of_rack.silence_after_power_came_back_is_no_fault_of_the_firmware,
    ),
    "esp32 golden set: what an application remembers stays": (
        lambda m: m.setattr(GoldenSet, "settings", lambda self: iter(())),
        of_rack.the_known_state_remembers_nothing,
    ),
    "esp32 ladder: nobody is patient enough to see a start": (
        lambda m: m.setattr(Esp32Rescue, "settle", lambda self, _seconds, _started: self._board.observe(0.0)),
        of_rack.an_application_that_goes_on_has_healed_itself,
    ),
    "esp32 landing: a download lasts until the slot is chosen": (
        lambda m: m.setattr(Download, "locate", _download_to_the_end),
        of_landing.a_download_ends_when_all_is_written,
    ),
    "esp32 landing: what the board had said is not looked at": (
        lambda m: m.setattr(
            Download,
            "locate",
            lambda self, records, slot: REAL_DOWNLOAD(replace(self, phases=frozenset()), records, slot),
        ),
        of_landing.a_torn_record_is_told_by_what_the_board_had_said,
    ),
    "esp32 landing: a record that is gone is not looked at": (
        lambda m: m.setattr(esp32_landing, "damaged_record", lambda _records, _before: None),
        of_landing.a_record_that_is_gone_is_the_updates_begin,
    ),
    "esp32 landing: the older record tells": (
        lambda m: m.setattr(esp32_landing, "written_state", lambda records, _before: read_records(records)[0].state),
        of_landing.a_record_that_is_whole_says_how_far_the_new_image_is,
    ),
    "esp32 landing: a start's abort is not looked at": (
        lambda m: m.setattr(Probation, "locate", lambda self, _records: REAL_PROBATION(self, self.records_before)),
        of_landing.an_image_that_is_given_up_lands_in_its_abort,
    ),
    "esp32 landing: a state that is torn is taken for a whole one": (
        lambda m: m.setattr(
            esp32_landing,
            "_written_by",
            lambda _step, state: Landing(SETTLED.get(state, "chosen"), None, "read-back", ""),
        ),
        of_landing.a_state_that_is_torn_is_no_whole_one,
    ),
    "esp32 landing: every build rolls back": (
        lambda m: m.setattr(esp32_landing, "WITHOUT_ROLLBACK", None),
        of_landing.without_rollback_no_state_is_whole,
    ),
    "esp32 landing: a console that says nothing counts as a board that does not": (
        lambda m: m.setattr(Landing, "landed", True),
        of_landing.what_flash_does_not_tell_is_inferred,
    ),
    "esp32 landing: a rollback is a confirm": (
        lambda m: m.setattr(HttpsUpdate, "_has_restarted", lambda self: False),
        of_landing.a_rollback_is_no_confirm,
    ),
    "esp32 landing: Arduino's updates begin with their magic": (
        lambda m: m.setattr(esp32_landing, "HELD_BACK", 0),
        of_landing.arduinos_updates_are_measured_without_their_magic,
    ),
    "esp32 landing: what begins alike was written": (
        lambda m: m.setattr(SerialWrite, "_was_erased", lambda self, _now, _written: True),
        of_landing.a_sector_that_is_half_erased_is_not_written_yet,
    ),
    "esp32 landing: what the loader erased counts as untouched": (
        lambda m: m.setattr(SerialWrite, "locate", lambda self, now: REAL_SERIAL(replace(self, before=now), now)),
        of_landing.a_serial_write_lands_where_it_has_come_to,
    ),
}
