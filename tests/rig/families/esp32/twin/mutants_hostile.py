"""Planted faults of an ESP32's twin for test_mutants: what lets a server, a file or a crash break or mislead it."""

from __future__ import annotations

from urllib.parse import urljoin

from rig import state_folder
from rig.families.esp32.firmware import second_stages as esp_second_stages
from rig.families.esp32.formats.boot_config import SecureVersion
from rig.families.esp32.formats.idf import Change, since
from rig.families.esp32.twin import boot, chip, legacy_stub
from rig.families.esp32.twin.app import arduino_update, fetch, http
from rig.families.esp32.twin.app import ota as ota_module
from rig.families.esp32.twin.app.http_head import Head, Url
from rig.families.esp32.twin.chip import Chip
from rig.families.esp32.twin.spi_flash import SpiFlash
from rig.twin.steps import Work
from tests.rig.families.esp32.formats import checks_start as of_start
from tests.rig.families.esp32.twin import checks_hostile as of_hostile
from tests.rig.families.esp32.twin import checks_state as of_state

#: What every release does.
ALWAYS = Change("planted", "nowhere", since("3.3"))
REAL_REQUEST, REAL_SPI_RESET, REAL_CHIP = http.request, SpiFlash.reset, Chip.__init__


def _perform_whatever(runs):
    for run in runs:
        yield Work(run)


def _join_whatever(self, location):
    return Url.parse(urljoin(str(self), location))


def _any_total(self):
    return int(self.headers.get("content-range", "").rpartition("/")[2])


def _plainly(board, url, method, headers, security, seconds, version="1.1"):
    """Without anybody to trust an https address is asked by plain HTTP."""
    plain = Url("http", url.host, url.port, url.path) if security is None else url
    return (yield from REAL_REQUEST(board, plain, method, headers, security, seconds, version))


def _burn_whatever(self, version):
    self.advance(version)
    return []


def _write_in_place(path, content):
    path.write_bytes(content)


def _lose_the_status(self):
    REAL_SPI_RESET(self)
    self._status = bytearray(3)


def _date_of_the_option(self, mac=None, *, revision=None, package=chip.D0WD, efuses=None):
    """Which major revision above 2 it is, is the option's word; whatever else was kept wins."""
    REAL_CHIP(self, package=package, efuses=efuses) if efuses else REAL_CHIP(self, mac, revision=revision)
    self._date = (1 << 31) if revision is None or revision >= 300 else 0


MUTANTS = {
    "esp32 twin: a restart takes no time": (
        lambda m: m.setattr(boot, "RESTART_SECONDS", 0.0),
        of_hostile.a_restart_takes_a_time_that_nothing_scales,
    ),
    "esp32 http: every Location is an address": (
        lambda m: m.setattr(Url, "redirected", _join_whatever),
        of_hostile.no_server_breaks_a_twin,
    ),
    "esp32 http: every total is a number": (
        lambda m: m.setattr(Head, "total", property(_any_total)),
        of_hostile.no_server_breaks_a_twin,
    ),
    "esp32 app: flash has no end": (
        lambda m: m.setattr(ota_module, "perform", _perform_whatever),
        of_hostile.work_beyond_the_end_of_flash_fails_on_the_board,
    ),
    "esp32 app: a secure version without room is burned": (
        lambda m: m.setattr(SecureVersion, "raise_to", _burn_whatever),
        of_hostile.a_secure_version_without_room_is_told_and_not_burned,
    ),
    "esp32 arduino: an https address is asked by plain HTTP": (
        lambda m: m.setattr(arduino_update, "request", _plainly),
        of_hostile.https_without_anybody_to_trust_is_not_asked_for,
    ),
    "esp32 app: 304 always had its own error": (
        lambda m: m.setattr(fetch, "NOT_MODIFIED", ALWAYS),
        of_hostile.not_modified_has_no_error_of_its_own_before_5_5,
    ),
    "esp32 state: files are written in place": (
        lambda m: m.setattr(state_folder, "keep", _write_in_place),
        of_state.nothing_is_half_written,
    ),
    "esp32 state: a folder is anybody's": (
        lambda m: m.setattr(state_folder.fcntl, "flock", lambda _fd, _how: None),
        of_state.a_folder_is_one_twins,
    ),
    "esp32 state: the revision is half the option's, half the eFuses'": (
        lambda m: m.setattr(Chip, "__init__", _date_of_the_option),
        of_state.kept_efuses_are_the_chip,
    ),
    "esp32 chip: EN takes the supply of the flash": (
        lambda m: m.setattr(SpiFlash, "reset", _lose_the_status),
        of_state.flash_keeps_its_supply_when_en_is_pulled,
    ),
    "esp32 bootloader: only as it was built": (
        lambda m: m.setattr(esp_second_stages, "_is_patched", lambda _written, _built: False),
        of_state.a_second_stage_is_known_by_whatever_parameters,
    ),
    "esp32 bootloader: a stale digest is good": (
        lambda m: m.setattr(esp_second_stages, "_is_patched", lambda written, built: written[4:-32] == built[4:-32]),
        of_state.a_second_stage_with_a_byte_wrong_is_none,
    ),
    "esp32 rom: every mask says the same": (
        lambda m: m.setattr(boot, "_no_bootloader", lambda _board, _area: ["invalid header: 0xffffffff"] * 4),
        of_start.each_mask_says_in_its_own_words_that_nothing_is_there,
    ),
    "esp32 loader: the stub sends as far ahead as the host likes": (
        lambda m: m.setattr(legacy_stub, "MOST_AHEAD", 1 << 20),
        of_start.no_window_makes_the_stub_send_without_end,
    ),
    "esp32 boot: the loader's rate stays": (
        lambda m: m.setattr(boot, "ROM_BAUD", 460_800),
        of_start.the_second_stage_sets_its_own_rate,
    ),
}
